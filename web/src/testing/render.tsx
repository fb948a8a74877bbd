import { QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, createRootRoute, createRoute, createRouter, Outlet, RouterProvider } from '@tanstack/react-router'
import { act, render } from '@testing-library/react'
import type { ReactNode } from 'react'
import { queryClient } from '../api/query'
import type { Session } from '../api/schema'
import { I18nProvider, type Language } from '../i18n'
import { setPrefs } from '../prefs'
import { SessionProvider } from '../session'
import { parseSearch, stringifySearch } from '../url'
import { allTexts } from './texts'

/** An admin's session. */
export const admin: Session = {
  user: { id: 'u_1', login: 'admin', name: 'Kim', role: 'admin', locale: '', timeZone: '', theme: '' },
  org: 'default',
  kind: 'user',
  role: 'admin',
  permissions: [
    'apis:read',
    'apis:write',
    'policies:read',
    'policies:write',
    'keys:read',
    'keys:write',
    'gateways:read',
    'revisions:read',
    'requests:read',
  ],
  csrf: 'c',
  locale: '',
  mustChangePassword: false,
}

/** Shows something as a page of the console would stand: with texts, router, cache and session. */
export async function show(page: ReactNode, options: { language?: Language; at?: string; session?: Session } = {}) {
  const language = options.language ?? 'en'
  setPrefs({ language })
  await allTexts(language)
  queryClient.clear()
  const root = createRootRoute({ component: () => <Outlet /> })
  const any = createRoute({ getParentRoute: () => root, path: '$', component: () => page })
  const home = createRoute({ getParentRoute: () => root, path: '/', component: () => page })
  const router = createRouter({
    routeTree: root.addChildren([home, any]),
    history: createMemoryHistory({ initialEntries: [options.at ?? '/'] }),
    parseSearch,
    stringifySearch,
  })
  const shown = render(
    <I18nProvider>
      <QueryClientProvider client={queryClient}>
        <SessionProvider session={options.session ?? admin}>
          <RouterProvider router={router as never} />
        </SessionProvider>
      </QueryClientProvider>
    </I18nProvider>,
  )
  await act(() => router.load())
  return { ...shown, router }
}

/** Answers fetches by method and path; what is not named is a fault of the test. */
export function answer(answers: Record<string, unknown>): { calls: { operation: string; body: unknown; headers: Headers }[] } {
  const calls: { operation: string; body: unknown; headers: Headers }[] = []
  globalThis.fetch = (async (input: RequestInfo | URL, init: RequestInit = {}) => {
    const url = new URL(String(input), 'http://console')
    const operation = `${init.method ?? 'GET'} ${url.pathname.replace('/api/v1', '')}`
    calls.push({ operation, body: init.body ? JSON.parse(String(init.body)) : undefined, headers: new Headers(init.headers) })
    const found = answers[operation]
    if (found === undefined) throw new Error(`the test has no answer for ${operation}`)
    if (found instanceof Response) return found.clone()
    return new Response(JSON.stringify(found), { headers: { 'Content-Type': 'application/json' } })
  }) as typeof fetch
  return { calls }
}
