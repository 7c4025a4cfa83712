// Who is signed in, by the server's cookie.

export interface User {
  readonly id: string;
  readonly email: string | null;
}

async function userOf(response: Response): Promise<User> {
  return ((await response.json()) as { user: User }).user;
}

/** The user of the cookie, if there is one. */
export async function whoAmI(): Promise<User | null> {
  const response = await fetch('/auth/me');
  if (response.status === 401) return null;
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return userOf(response);
}

/** Signs in. Rejects with what the server says. */
export async function signIn(email: string, password: string): Promise<User> {
  const response = await fetch('/auth/login', { method: 'POST', body: JSON.stringify({ email, password }) });
  if (response.ok) return userOf(response);
  const { title, detail } = (await response.json()) as { title: string; detail?: string };
  throw new Error(detail ?? title);
}

/** Signs out, which ends the page's stream within a second. */
export async function signOut(): Promise<void> {
  await fetch('/auth/logout', { method: 'POST' });
}
