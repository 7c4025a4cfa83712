import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// The page and the server are one origin to the browser, so its cookie counts and nothing has to be named. The server
// sees the page's own `Host`, which it compares with `Origin`: Vite's short form of a proxy would put another one there.
const target = process.env['TIDINGS_URL'] ?? 'http://127.0.0.1:8080';
const proxy = {
  '/api': { target, changeOrigin: false },
  '/auth': { target, changeOrigin: false },
  '/v1': { target, changeOrigin: false, ws: true },
};

export default defineConfig({
  plugins: [react()],
  // The packages are linked from this repository and would bring a React of their own.
  resolve: { dedupe: ['react', 'react-dom'] },
  server: { host: '127.0.0.1', port: 5173, proxy },
  preview: { host: '127.0.0.1', proxy },
});
