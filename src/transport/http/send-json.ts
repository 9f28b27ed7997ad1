import type { FastifyReply } from 'fastify';

/** Sends JSON text. As a string it would get a charset, which application/json does not have. */
export function sendJson(reply: FastifyReply, json: string): void {
  reply.type('application/json').send(Buffer.from(json));
}
