import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The content security policy that the dashboard sends; `vite preview` sends it too, so that the page of all
// components is judged by the same rules as the console.
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "manifest-src 'self'; worker-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2023',
    modulePreload: { polyfill: false },
    manifest: true, // scripts/size.mjs reads it
    assetsInlineLimit: 0, // the policy allows no data: but for pictures
    reportCompressedSize: false,
  },
  worker: { format: 'es' },
  server: {
    host: '127.0.0.1',
    // SLUICE_URL names a running dashboard, such as that of `make run`.
    proxy: { '/api/': { target: process.env.SLUICE_URL ?? 'http://127.0.0.1:8080', changeOrigin: false } },
  },
  preview: { host: '127.0.0.1', headers: { 'Content-Security-Policy': policy } },
  test: {
    environment: 'happy-dom',
    setupFiles: ['src/testing/setup.ts'],
    include: ['src/**/*.test.{ts,tsx}', 'scripts/**/*.test.mjs'],
    css: false,
    testTimeout: 30_000,
  },
} as Parameters<typeof defineConfig>[0])
