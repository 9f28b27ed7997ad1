import type { FastifyReply } from 'fastify';

/** Answers JSON that is text already. Sent as a string it would get a charset, which application/json does not have. */
export function sendJson(reply: FastifyReply, json: string): void {
  reply.type('application/json').send(Buffer.from(json));
}
