import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  useNavigate,
  useRouterState,
} from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { useLiveCache } from './api/query'
import { loadTexts, useI18n } from './i18n'
import { Crash } from './layout/Crash'
import { Logo } from './layout/Logo'
import { Shell } from './layout/Shell'
import css from './layout/Shell.module.css'
import { type Page, pages } from './routes'
import { SessionProvider, useSessionQuery } from './session'
import { SearchIcon } from './ui/icons'
import { LinkButton } from './ui/Link'
import { EmptyState, ErrorState, Skeleton } from './ui/States'
import { Toasts } from './ui/Toast'
import { parseSearch, stringifySearch } from './url'

const root = createRootRoute({
  component: () => (
    <>
      <Outlet />
      <Toasts />
    </>
  ),
  notFoundComponent: NotFound,
})

/** Lets in who is signed in; sends everybody else to the sign-in, and back afterwards. */
function Gate() {
  const { data: session, error, isPending, refetch } = useSessionQuery()
  useLiveCache(Boolean(session && !session.mustChangePassword))
  if (isPending) return <Opening />
  if (session === undefined) return <ErrorState error={error} onRetry={() => void refetch()} />
  if (!session || session.mustChangePassword) return <ToSignIn />
  return (
    <SessionProvider session={session}>
      <Shell />
    </SessionProvider>
  )
}

/** Goes to the sign-in once, and remembers whence: the address that was there first, not those on the way. */
function ToSignIn() {
  const navigate = useNavigate()
  const from = useRef(useRouterState({ select: (s) => s.location.href }))
  useEffect(() => {
    const next = from.current
    void navigate({ to: '/login', search: (next === '/' ? {} : { next }) as never, replace: true })
  }, [navigate])
  return <Opening />
}

function Opening() {
  return (
    <div className={css.top} aria-busy>
      <Logo className={css.logo} />
    </div>
  )
}

const gate = createRoute({ getParentRoute: () => root, id: 'gate', component: Gate })

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  component: lazyRouteComponent(() => import('./pages/login/Login')),
})

function PagePending() {
  return (
    <div className={css.loading} aria-busy>
      <Skeleton width={180} height={22} />
      <Skeleton height={120} />
    </div>
  )
}

/** What stands at an address that no page has. */
export function NotFound() {
  const { t } = useI18n()
  return (
    <EmptyState
      icon={SearchIcon}
      whole
      title={t('shell.noPage')}
      actions={
        <LinkButton look="primary" to="/">
          {t('shell.toHome')}
        </LinkButton>
      }
    >
      {t('shell.noPageHelp')}
    </EmptyState>
  )
}

/** A page's code with its texts, so that it never shows without them. */
const withTexts = async (load: NonNullable<Page['load']>, texts: Page['texts'] = []) => {
  const [page] = await Promise.all([load(), loadTexts(texts)])
  return page
}

const shown = pages.flatMap(({ load, ...page }) => {
  if (!load) return []
  const component = lazyRouteComponent(() => withTexts(load, page.texts))
  const own = createRoute({ getParentRoute: () => gate, path: page.path, component })
  const over = pages
    .filter((p) => !p.load && p.parent === page.path)
    .map((p) => createRoute({ getParentRoute: () => own, path: p.path.slice(page.path.length) }))
  return [over.length > 0 ? own.addChildren(over) : own]
})
const rest = createRoute({ getParentRoute: () => gate, path: '$', component: NotFound })

// The page of all components is there in builds of another mode than production only.
const ui =
  import.meta.env.MODE === 'production'
    ? []
    : [
        createRoute({
          getParentRoute: () => root,
          path: '/__ui',
          component: lazyRouteComponent(() => import('./gallery/Gallery')),
        }),
      ]

export const router = createRouter({
  routeTree: root.addChildren([gate.addChildren([...shown, rest]), login, ...ui]),
  defaultPreload: 'intent',
  defaultPendingComponent: PagePending,
  defaultPendingMs: 300,
  defaultErrorComponent: ({ error, reset }) => <Crash error={error} reset={reset} />,
  defaultNotFoundComponent: NotFound,
  scrollRestoration: true,
  parseSearch,
  stringifySearch,
})
