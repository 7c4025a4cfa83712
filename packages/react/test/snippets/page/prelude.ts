// Provides what `loose/prelude.d.ts` declares, before the snippets' modules are loaded.

import { waitFor } from '@testing-library/react';
import type { Cast } from '@tidings/client/casts';
import { useCastEvents } from '@tidings/react';
import { createElement, useEffect, useState } from 'react';
import { Badge, CastRow, Spinner, toast, WifiIcon } from './app.tsx';
import { expect, test } from './runner.ts';
import { given, told } from './told.ts';

const calls =
  (name: string) =>
  (argument: unknown): void => {
    told.calls.push([name, argument]);
  };

// A component's state changes by what it was, so a function is asked with that.
let state = { id: 'cast_123' } as Cast;

function setCast(next: Cast | ((last: Cast) => Cast)): void {
  state = typeof next === 'function' ? next(state) : next;
  told.calls.push(['setCast', state.status]);
}

Object.assign(globalThis, {
  useState,
  useEffect,
  useCastEvents,
  Badge,
  WifiIcon,
  Spinner,
  CastRow,
  toast,
  setCast,
  setProgress: calls('setProgress'),
  setIsLive: calls('setIsLive'),
  test,
  expect,
  waitFor,
  ...given,
  show: (shown: object) => createElement('pre', null, JSON.stringify(shown)),
  expose: (functions: typeof told.functions) => {
    told.functions = functions;
  },
});
