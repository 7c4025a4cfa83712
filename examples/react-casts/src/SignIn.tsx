import { useState } from 'react';
import { signIn, type User } from './session.ts';

export function SignIn({ onSignedIn }: { onSignedIn: (user: User) => void }) {
  const [error, setError] = useState<string | null>(null);
  const submit = async (form: FormData) => {
    try {
      onSignedIn(await signIn(String(form.get('email')), String(form.get('password'))));
    } catch (error) {
      setError((error as Error).message);
    }
  };
  return (
    <form action={submit} className="sign-in">
      <h1>Casts</h1>
      <label>
        Email
        <input name="email" type="email" autoComplete="username" required />
      </label>
      <label>
        Password
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button type="submit">Sign in</button>
      {error !== null && <p role="alert">{error}</p>}
    </form>
  );
}
