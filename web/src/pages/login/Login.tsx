import { type ReactNode, useEffect, useRef } from 'react'
import { useI18n } from '../../i18n'
import { Logo } from '../../layout/Logo'
import { languageName } from '../../layout/language'
import { setPrefs, useTheme } from '../../prefs'
import { safeNext, useSessionQuery } from '../../session'
import { Button, IconButton } from '../../ui/Button'
import { MoonIcon, SunIcon } from '../../ui/icons'
import { useGo } from '../../ui/Link'
import { text, useUrl } from '../../url'
import { FirstPassword } from './FirstPassword'
import css from './Login.module.css'
import { SignIn } from './SignIn'

/** The door: signing in, and the change of a one-time password. */
export default function Login() {
  const { t } = useI18n()
  const [{ next }] = useUrl({ next: text })
  const { data: session } = useSessionQuery()
  const change = session?.mustChangePassword === true
  const title = t(change ? 'login.changeTitle' : 'login.title')
  useEffect(() => {
    document.title = `${title} · Sluice`
  }, [title])
  const go = useGo()
  const target = useRef(safeNext(next)) // the address changes while the next page is on its way
  const done = Boolean(session) && !change
  useEffect(() => {
    if (done) go(target.current, { replace: true })
  }, [done, go])
  if (done) return null
  return <Frame title={title}>{change ? <FirstPassword login={session.user.login} /> : <SignIn left={next !== ''} />}</Frame>
}

function Frame({ title, children }: { title: string; children: ReactNode }) {
  const { t, language } = useI18n()
  const dark = useTheme() === 'dark'
  return (
    <div className={css.page}>
      <main className={css.box}>
        <div className={css.brand}>
          <Logo size={28} />
          Sluice
        </div>
        <div className={css.card}>
          <h1>{title}</h1>
          {children}
        </div>
      </main>
      <footer className={css.foot}>
        {(['en', 'ko'] as const).map((l) => (
          <Button key={l} small look="ghost" lang={l} aria-pressed={l === language} onClick={() => setPrefs({ language: l })}>
            {languageName(l)}
          </Button>
        ))}
        <IconButton
          small
          icon={dark ? SunIcon : MoonIcon}
          label={t(dark ? 'shell.themeLight' : 'shell.themeDark')}
          onClick={() => setPrefs({ theme: dark ? 'light' : 'dark' })}
        />
      </footer>
    </div>
  )
}
