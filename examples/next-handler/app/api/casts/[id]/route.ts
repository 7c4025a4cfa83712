// app/api/casts/[id]/route.ts as Next.js takes it: GET reads the program's own record, PATCH changes it and tells
// Tidings.

import { type CastStatus, PublishError, publishCastUpdate } from '@tidings/publisher';
import { casts } from '../../../../src/casts.ts';

interface Context {
  readonly params: Promise<{ readonly id: string }>;
}

export async function GET(_request: Request, { params }: Context): Promise<Response> {
  const cast = casts.get((await params).id);
  return cast === undefined ? missing() : Response.json(cast);
}

export async function PATCH(request: Request, { params }: Context): Promise<Response> {
  const { id } = await params;
  const cast = casts.get(id);
  if (cast === undefined) return missing();
  const { status } = (await request.json()) as { status: CastStatus };
  const changed = { ...cast, status };
  try {
    // Tidings' state machine is asked first: what it refuses is not stored here either.
    await publishCastUpdate(id, changed);
  } catch (error) {
    if (!(error instanceof PublishError)) throw error;
    // What Tidings says of the cast is for the caller; what it says of this program's key or request is not.
    const { code, detail, current } = error;
    if (code === 'illegal_transition') return Response.json({ code, detail, current }, { status: 409 });
    console.error(error);
    return Response.json({ code: 'not_told', detail: 'try again' }, { status: error.isTemporary ? 503 : 500 });
  }
  casts.set(id, changed);
  return Response.json(changed);
}

function missing(): Response {
  return Response.json({ code: 'not_found', detail: 'there is no such cast' }, { status: 404 });
}
