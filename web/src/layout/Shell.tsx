import { Outlet, useRouterState } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { useI18n } from '../i18n'
import { languageOf, prefs, useTheme } from '../prefs'
import { type Page, pages } from '../routes'
import { savePrefs, signOut, useSession } from '../session'
import { KeyboardIcon, LanguageIcon, MoonIcon, SignOutIcon, SunIcon } from '../ui/icons'
import { useGo } from '../ui/Link'
import { Drawer } from '../ui/Overlay'
import { PageHeader } from '../ui/Page'
import { type Command, Palette } from '../ui/Palette'
import { Denied } from '../ui/States'
import { useShortcuts } from '../ui/shortcuts'
import { Banners } from './Banners'
import { Breadcrumb, usePage } from './Breadcrumb'
import { languageName } from './language'
import { Nav } from './Nav'
import css from './Shell.module.css'
import { ShortcutHelp } from './ShortcutHelp'
import { Top } from './Top'
import { useShownTitle } from './title'
import { useFound } from './useFound'

/** The frame around every page of somebody who is signed in. */
export function Shell() {
  const { t } = useI18n()
  const { page } = usePage()
  const [nav, setNav] = useState(false)
  const [palette, setPalette] = useState(false)
  const [help, setHelp] = useState(false)
  const go = useGo()
  useDocumentTitle(page)
  useFocusOnNavigation()
  useShortcuts({
    'mod+k': () => setPalette(true),
    '?': () => setHelp(true),
    ...Object.fromEntries(pages.filter((p) => p.go).map((p) => [`g ${p.go}`, () => go(p.path)])),
  })
  return (
    <>
      <a href="#main" className={css.skip}>
        {t('shell.skip')}
      </a>
      <Top onNav={() => setNav(true)} onJump={() => setPalette(true)} onHelp={() => setHelp(true)} go={go} />
      <Banners />
      <div className={css.frame}>
        <div className={css.side}>
          <div className={css.sticky}>
            <Nav />
          </div>
        </div>
        <main id="main" tabIndex={-1} className={css.main}>
          <div className={css.inner}>
            <Breadcrumb />
            <Allowed page={page} />
          </div>
        </main>
      </div>
      <Drawer open={nav} onClose={() => setNav(false)} title={t('shell.nav')} width={280} side="left">
        <Nav onGo={() => setNav(false)} />
      </Drawer>
      <JumpPalette open={palette} onClose={() => setPalette(false)} go={go} onHelp={() => setHelp(true)} />
      <ShortcutHelp open={help} onClose={() => setHelp(false)} />
    </>
  )
}

/** The page, or what its reader lacks. */
function Allowed({ page }: { page: Page | undefined }) {
  const { t } = useI18n()
  const session = useSession()
  if (page?.permission && !session.can(page.permission)) {
    return (
      <>
        <PageHeader title={t(page.title)} />
        <Denied permission={page.permission} login={session.user.login} role={session.role} />
      </>
    )
  }
  return <Outlet />
}

function useDocumentTitle(page: Page | undefined): void {
  const { t } = useI18n()
  const object = useShownTitle()
  const own = page ? t(page.title) : t('shell.noPage')
  useEffect(() => {
    document.title = `${object ? `${object} · ` : ''}${own} · Sluice`
  }, [object, own])
}

/** After navigation the new page's heading has the focus, so that it is read and Tab goes on from there. */
function useFocusOnNavigation(): void {
  const pathname = useRouterState({ select: (s) => s.resolvedLocation?.pathname })
  // What a page draws over itself, such as a drawer, takes and gives back the focus by itself.
  const over = pages.find((p) => !p.load && p.parent && pathname?.startsWith(`${p.parent}/`))
  const place = over ? over.parent : pathname
  const before = useRef<string | undefined>(undefined)
  useEffect(() => {
    const first = before.current === undefined || before.current === place
    before.current = place
    if (first || document.querySelector('[role="dialog"]')) return
    const main = document.getElementById('main')
    ;(main?.querySelector<HTMLElement>('h1[tabindex]') ?? main)?.focus({ preventScroll: true })
  }, [place])
}

function JumpPalette({
  open,
  onClose,
  go,
  onHelp,
}: {
  open: boolean
  onClose: () => void
  go: (to: string) => void
  onHelp: () => void
}) {
  const { t, language } = useI18n()
  const [asked, setAsked] = useState('')
  const found = useFound(open ? asked : '', go)
  const dark = useTheme() === 'dark'
  const other = language === 'ko' ? 'en' : 'ko'
  const group = t('shell.paletteActions')
  const keep = (change: Parameters<typeof savePrefs>[0]) => void savePrefs(change).catch(() => undefined)
  const commands: Command[] = [
    ...pages
      .filter((p) => !p.path.includes('$'))
      .map((p) => ({
        id: p.path,
        group: t('shell.palettePages'),
        label: t(p.title),
        words: p.path,
        icon: p.icon,
        note: p.go && prefs().shortcuts ? `g ${p.go}` : undefined,
        run: () => go(p.path),
      })),
    ...found,
    {
      id: 'theme',
      group,
      label: t(dark ? 'shell.themeLight' : 'shell.themeDark'),
      words: 'theme dark light',
      icon: dark ? SunIcon : MoonIcon,
      run: () => keep({ theme: dark ? 'light' : 'dark' }),
    },
    {
      id: 'language',
      group,
      label: `${t('shell.language')}: ${languageName(other)}`,
      words: 'language english korean',
      icon: LanguageIcon,
      run: () => keep({ language: languageOf(prefs()) === 'ko' ? 'en' : 'ko' }),
    },
    { id: 'keys', group, label: t('shell.keys'), words: 'keyboard help', icon: KeyboardIcon, note: '?', run: onHelp },
    {
      id: 'sign-out',
      group,
      label: t('shell.signOut'),
      words: 'logout sign out',
      icon: SignOutIcon,
      run: () => void signOut().catch(() => undefined),
    },
  ]
  return (
    <Palette
      open={open}
      onClose={onClose}
      commands={commands}
      label={t('shell.palette')}
      placeholder={t('shell.palettePlaceholder')}
      onSearch={setAsked}
    />
  )
}
