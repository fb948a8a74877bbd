import { useMatches } from '@tanstack/react-router'
import { useI18n } from '../i18n'
import { type Page, pages } from '../routes'
import { ChevronRightIcon } from '../ui/icons'
import { Link } from '../ui/Link'
import css from './Shell.module.css'
import { useShownTitle } from './title'

/** The page that is shown, by the router's match. */
export function usePage(): { page: Page | undefined; params: Record<string, string> } {
  const match = useMatches().at(-1)
  const path = match?.fullPath === '' ? '/' : match?.fullPath?.replace(/(.)\/$/, '$1')
  return { page: pages.find((p) => p.path === path), params: (match?.params ?? {}) as Record<string, string> }
}

/** Where the page stands; a page without one above it has none. */
export function Breadcrumb() {
  const { t } = useI18n()
  const { page, params } = usePage()
  const title = useShownTitle()
  const above: Page[] = []
  for (let p = page; p?.parent && above.length < 5; ) {
    p = pages.find((x) => x.path === p?.parent)
    if (p) above.unshift(p)
  }
  // What lies over another page does not move it.
  if (above.length === 0 || !page?.load) return null
  const fill = (path: string) => path.replace(/\$(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
  return (
    <nav aria-label={t('shell.breadcrumb')}>
      <ol className={css.crumbs}>
        {above.map((p) => (
          <li key={p.path}>
            <Link to={fill(p.path)} look="quiet">
              {t(p.title)}
            </Link>
            <ChevronRightIcon size={13} aria-hidden />
          </li>
        ))}
        <li aria-current="page">
          <span className="truncate">{title || t(page.title)}</span>
        </li>
      </ol>
    </nav>
  )
}
