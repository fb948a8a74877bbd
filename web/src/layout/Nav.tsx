import { useRouterState } from '@tanstack/react-router'
import { useId } from 'react'
import { useI18n } from '../i18n'
import { type Group, type Page, pages } from '../routes'
import { Link } from '../ui/Link'
import css from './Shell.module.css'

const groups: Group[] = ['home', 'build', 'observe', 'operate', 'admin']

/** The page of the navigation that an address belongs to: the longest path that it begins with. */
export function currentPage(pathname: string, list: Page[] = pages): Page | undefined {
  return list
    .filter((p) => p.group && (p.path === '/' ? pathname === '/' : pathname === p.path || pathname.startsWith(`${p.path}/`)))
    .sort((a, b) => b.path.length - a.path.length)[0]
}

/** The main navigation, written by routes.tsx. */
export function Nav({ onGo }: { onGo?: () => void }) {
  const { t } = useI18n()
  const id = useId()
  const pathname = useRouterState({ select: (s) => s.location.pathname })
  const current = currentPage(pathname)
  return (
    <nav aria-label={t('shell.nav')}>
      {groups.map((g) => {
        const own = pages.filter((p) => p.group === g)
        if (own.length === 0) return null
        return (
          <div key={g} className={css.group}>
            {g !== 'home' && <h2 id={`${id}${g}`}>{t(`shell.${g}`)}</h2>}
            <ul aria-labelledby={g === 'home' ? undefined : `${id}${g}`}>
              {own.map((p) => {
                const Glyph = p.icon
                return (
                  <li key={p.path}>
                    <Link
                      to={p.path}
                      look="bare"
                      className={css.item}
                      onClick={onGo}
                      data-current={p === current ? '' : undefined}
                      aria-current={p === current ? (pathname === p.path ? 'page' : 'true') : undefined}
                    >
                      {Glyph && <Glyph size={17} stroke={1.7} aria-hidden />}
                      {t(p.title)}
                    </Link>
                  </li>
                )
              })}
            </ul>
          </div>
        )
      })}
    </nav>
  )
}
