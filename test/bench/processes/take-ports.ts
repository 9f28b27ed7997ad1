// Takes as many ports as its argument says, prints them, and keeps them until its stdin ends.
import { freePort } from '../../../bench/processes/free-port.ts';

const ports: number[] = [];
while (ports.length < Number(process.argv[2])) ports.push(await freePort());
console.log(ports.join(' '));
process.stdin.resume();
