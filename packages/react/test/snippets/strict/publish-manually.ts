import { type CastState, publishCastUpdate } from '@tidings/publisher';

interface Casts {
  update(change: { where: { id: string }; data: CastState }): Promise<CastState & { userId: string }>;
}

/** After any change of a cast in a database of one's own: the row goes along, since nobody else has it. */
export async function changeCast(casts: Casts, castId: string, data: CastState): Promise<void> {
  const row = await casts.update({ where: { id: castId }, data });
  await publishCastUpdate(castId, row);
}
