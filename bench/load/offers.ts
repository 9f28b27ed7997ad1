import { TaskChild } from '../processes/children.ts';
import type { LoadReport, Offer } from './offer.ts';

/** The process that makes offers, from the side that steers it. */
export class Offers {
  readonly #child = new TaskChild<Offer[], LoadReport>('load/offer-main');

  /** Makes them at the same time; resolves when every request has ended. */
  async make(...offers: Offer[]): Promise<LoadReport> {
    return await this.#child.run(offers);
  }

  async close(): Promise<void> {
    await this.#child.close();
  }
}
