import { useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { ApiError, call, writeAs } from '../../api/client'
import { explain } from '../../api/errors'
import { sessionKey } from '../../api/query'
import { useI18n } from '../../i18n'
import { Button } from '../../ui/Button'
import { ErrorFinePrint, Notice } from '../../ui/States'
import { PasswordInput, TextInput } from '../../ui/TextInput'
import css from './Login.module.css'

/** Counts down to an instant, by the second; 0 when it has come. */
export function useRemaining(until: number): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    if (until <= Date.now()) return
    const timer = setInterval(() => {
      setNow(Date.now())
      if (Date.now() >= until) clearInterval(timer)
    }, 250)
    setNow(Date.now())
    return () => clearInterval(timer)
  }, [until])
  return Math.max(0, Math.ceil((until - now) / 1000))
}

/** Login and password. `left`: the visitor was on the way to a page. */
export function SignIn({ left }: { left: boolean }) {
  const i18n = useI18n()
  const { t, format } = i18n
  const client = useQueryClient()
  const [values, setValues] = useState({ login: '', password: '' })
  const [missing, setMissing] = useState({ login: false, password: false })
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const [until, setUntil] = useState(0)
  const remaining = useRemaining(until)
  const login = useRef<HTMLInputElement>(null)
  const password = useRef<HTMLInputElement>(null)

  const submit = async (e: FormEvent) => {
    e.preventDefault()
    const gaps = { login: values.login.trim() === '', password: values.password === '' }
    setMissing(gaps)
    if (gaps.login || gaps.password) {
      ;(gaps.login ? login : password).current?.focus()
      return
    }
    if (busy || remaining > 0) return
    setBusy(true)
    setError(null)
    setUntil(0)
    try {
      const session = await call('POST /session', { body: { login: values.login.trim(), password: values.password } })
      writeAs(session)
      client.setQueryData(sessionKey, session)
    } catch (failure) {
      setError(failure)
      if (failure instanceof ApiError && failure.code === 'auth.locked') setUntil(Date.now() + failure.retryAfter * 1000)
      else if (failure instanceof ApiError && failure.code === 'auth.invalid') {
        setValues((v) => ({ ...v, password: '' }))
        password.current?.focus()
      }
    } finally {
      setBusy(false)
    }
  }

  const locked = error instanceof ApiError && error.code === 'auth.locked'
  const away = error instanceof ApiError && error.status === 0
  return (
    <form className={css.form} onSubmit={submit} noValidate>
      {locked ? (
        <Notice tone={remaining > 0 ? 'warn' : 'info'}>
          {remaining > 0 ? t('login.locked', { time: format.duration(remaining * 1000) }) : t('login.lockedOver')}
        </Notice>
      ) : error ? (
        <Notice tone="bad">
          {away ? t('login.unreachable') : explain(error, i18n)}
          <ErrorFinePrint error={error} />
        </Notice>
      ) : (
        left && <Notice>{t('login.expired')}</Notice>
      )}
      <TextInput
        ref={login}
        label={t('login.login')}
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        autoFocus
        value={values.login}
        error={missing.login ? t('login.missingLogin') : undefined}
        onChange={(e) => setValues({ ...values, login: e.target.value })}
      />
      <PasswordInput
        ref={password}
        label={t('login.password')}
        autoComplete="current-password"
        value={values.password}
        error={missing.password ? t('login.missingPassword') : undefined}
        onChange={(e) => setValues({ ...values, password: e.target.value })}
      />
      <Button look="primary" type="submit" wide busy={busy} disabled={remaining > 0}>
        {t('login.signIn')}
      </Button>
      <p className="muted small">{t('login.forgot')}</p>
    </form>
  )
}
