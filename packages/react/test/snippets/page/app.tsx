// The parts of an app that the documents' snippets use.

import type { Cast } from '@tidings/client/casts';
import type { ReactNode } from 'react';
import { told } from './told.ts';

const toastOf = (kind: string) => (text: string) => {
  told.toasts.push(`${kind}: ${text}`);
};

export const toast = { success: toastOf('success'), info: toastOf('info'), error: toastOf('error') };

export function Badge({ children }: { children?: ReactNode }) {
  return <span className="badge">{children}</span>;
}

export function WifiIcon() {
  return <span className="wifi">connected</span>;
}

export function Spinner() {
  return <span className="spinner">loading</span>;
}

export function CastRow({ cast }: { cast: Cast | undefined }) {
  return <p className="row">{cast?.status}</p>;
}
