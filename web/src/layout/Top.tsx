import { useRead } from '../api/query'
import { summarize } from '../fleet'
import { useI18n } from '../i18n'
import { useTheme } from '../prefs'
import { savePrefs, signOut, useSession } from '../session'
import { IconButton } from '../ui/Button'
import { KeyboardIcon, LanguageIcon, MenuIcon, MoonIcon, SearchIcon, SignOutIcon, SunIcon, UserIcon } from '../ui/icons'
import { Link } from '../ui/Link'
import { Menu } from '../ui/Menu'
import { StatusPill } from '../ui/Status'
import { modKey } from '../ui/shortcuts'
import { toast } from '../ui/Toast'
import { Logo } from './Logo'
import { languageName } from './language'
import css from './Shell.module.css'

/** The bar at the upper edge. */
export function Top({
  onNav,
  onJump,
  onHelp,
  go,
}: {
  onNav: () => void
  onJump: () => void
  onHelp: () => void
  go: (to: string) => void
}) {
  const { t, language } = useI18n()
  const session = useSession()
  const dark = useTheme() === 'dark'
  const keep = (change: Parameters<typeof savePrefs>[0]) =>
    void savePrefs(change).catch((e: unknown) => toast({ kind: 'bad', text: e instanceof Error ? e.message : String(e) }))
  return (
    <header className={css.top}>
      <span className={css.burger}>
        <IconButton icon={MenuIcon} label={t('shell.openNav')} onClick={onNav} bare />
      </span>
      <Link to="/" look="bare" className={css.brand}>
        <Logo className={css.logo} />
        Sluice
        <small title={t('shell.org', { org: session.org })}>{session.org}</small>
      </Link>
      <button type="button" className={css.jump} onClick={onJump}>
        <SearchIcon size={16} aria-hidden />
        <span>{t('shell.palettePlaceholder')}</span>
        <kbd aria-hidden>{modKey() === '⌘' ? '⌘K' : 'Ctrl K'}</kbd>
      </button>
      <div className={css.tools}>
        <Fleet />
        <Menu
          target={<IconButton icon={LanguageIcon} label={t('shell.language')} bare />}
          groups={[
            [
              { label: 'English', checked: language === 'en', onSelect: () => keep({ language: 'en' }) },
              { label: languageName('ko'), checked: language === 'ko', onSelect: () => keep({ language: 'ko' }) },
            ],
          ]}
        />
        <IconButton
          icon={dark ? SunIcon : MoonIcon}
          label={t(dark ? 'shell.themeLight' : 'shell.themeDark')}
          onClick={() => keep({ theme: dark ? 'light' : 'dark' })}
        />
        <Menu
          width={224}
          target={
            <button type="button" className={css.avatar} aria-label={t('shell.account', { login: session.user.login })}>
              {(session.user.name || session.user.login).slice(0, 1)}
            </button>
          }
          head={
            <div className={css.who}>
              <b className="truncate">{session.user.name || session.user.login}</b>
              <span>
                {session.user.login} · {session.role}
              </span>
            </div>
          }
          groups={[
            [
              { label: t('shell.profile'), icon: UserIcon, onSelect: () => go('/me') },
              { label: t('shell.keys'), icon: KeyboardIcon, onSelect: onHelp },
            ],
            [{ label: t('shell.signOut'), icon: SignOutIcon, onSelect: () => void signOut().catch(() => undefined) }],
          ]}
        />
      </div>
    </header>
  )
}

/** How many gateways run the newest revision. */
function Fleet() {
  const session = useSession()
  const { t } = useI18n()
  const { data } = useRead('GET /gateways', undefined, { live: true, enabled: session.can('gateways:read') })
  if (!data) return null
  const { all, current, revision, tone } = summarize(data.items)
  if (all === 0) return null
  return (
    <span className={css.fleet}>
      <StatusPill shape={tone === 'ok' ? 'dot' : tone === 'bad' ? 'square' : 'triangle'} tone={tone}>
        {t('shell.fleet', { revision: String(revision), current: String(current), all: String(all) })}
      </StatusPill>
    </span>
  )
}
