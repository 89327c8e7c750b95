// All that this front end knows about shelf: where it is, and how to sign in.
import { fetchUtils } from 'react-admin';
import jsonServerProvider from 'ra-data-json-server';

// Once built, the page comes from shelf itself. Vite's own server is another one.
const api = import.meta.env.DEV ? 'http://127.0.0.1:8080' : '';

// The session is what shelf answers to a sign-in: { accessToken, user }.
const session = {
  get: () => JSON.parse(localStorage.getItem('session') ?? '{}'),
  set: (answer) => localStorage.setItem('session', JSON.stringify(answer)),
  end: () => localStorage.removeItem('session'),
};

const headers = () => {
  const { accessToken } = session.get();
  return new Headers(accessToken ? { Authorization: `Bearer ${accessToken}` } : {});
};

// shelf's errors are {"error":"…"}, and those about accounts and guards a text.
const words = (body) => body?.error ?? (typeof body === 'string' ? body : undefined);

export const dataProvider = jsonServerProvider(api, async (url, options) => {
  try {
    return await fetchUtils.fetchJson(url, { ...options, headers: headers() });
  } catch (error) {
    error.message = words(error.body) ?? error.message;
    throw error;
  }
});

export const authProvider = {
  login: async ({ email, password, isNew }) => {
    const response = await fetch(`${api}/${isNew ? 'register' : 'login'}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email, password }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(words(answer));
    session.set(answer);
  },
  logout: async () => {
    await fetch(`${api}/logout`, { method: 'POST', headers: headers() }).catch(() => {});
    session.end();
  },
  checkAuth: async () => {
    if (!session.get().accessToken) throw new Error('Sign in first');
  },
  // 401: the token is no longer good. 403: this row is another's, so stay signed in.
  checkError: async ({ status }) => {
    if (status === 401) throw new Error('Sign in again');
  },
  getIdentity: async () => {
    const { user } = session.get();
    return { id: user.id, fullName: user.email };
  },
};
