// What the test gave a backend, and the backend's database.

import type { CastState } from '@tidings/publisher';
import type { Facts } from '../support/backend.ts';

export const facts: Facts = JSON.parse(process.env['FACTS'] ?? '{}');

/** The casts' table: here Tidings keeps it. */
export const prisma = {
  async update({ where, data }: { where: { id: string }; data: CastState }): Promise<CastState & { userId: string }> {
    const answer = await fetch(`${process.env['TIDINGS_URL']}/api/casts/${where.id}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${process.env['TIDINGS_API_KEY']}`, 'content-type': 'application/json' },
      body: JSON.stringify(data),
    });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return (await answer.json()) as CastState & { userId: string };
  },
};
