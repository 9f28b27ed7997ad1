// The process that makes offers: apart from the service, and from who steers both.
import { answerTasks } from '../processes/children.ts';
import { makeOffer } from './make-offer.ts';
import type { LoadReport, Offer } from './offer.ts';

answerTasks(async (offers: readonly Offer[]): Promise<LoadReport> => {
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  const results = await Promise.all(offers.map(makeOffer));
  const { user, system } = process.cpuUsage(startCpu);
  return { offers: results, generatorCpu: (user + system) / 1000 / (performance.now() - startMs) };
});
