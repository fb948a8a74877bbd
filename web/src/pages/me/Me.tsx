import { lazy, Suspense, useEffect, useState } from 'react'
import { explain } from '../../api/errors'
import { type I18n, useI18n } from '../../i18n'
import { formats } from '../../i18n/format'
import { languageName } from '../../layout/language'
import { Unsaved } from '../../layout/unsaved'
import { languageOf, type Prefs, prefs, setPrefs, usePrefs } from '../../prefs'
import { savePrefs, saveProfile, useSession } from '../../session'
import { Button } from '../../ui/Button'
import { RadioCards, Switch } from '../../ui/Choice'
import { Card, Columns, Facts, PageHeader, Row, Stack } from '../../ui/Page'
import { type Option, Select } from '../../ui/Select'
import { ErrorNotice, Notice, Skeleton } from '../../ui/States'
import { TextInput } from '../../ui/TextInput'
import { toast } from '../../ui/Toast'

/** The last part of the page; what checks its fields is fetched behind the rest. */
const PasswordForm = lazy(() => import('../../form/PasswordForm').then((m) => ({ default: m.PasswordForm })))

/** One's own profile: who one is, how the console looks and speaks, the password. */
export default function Me() {
  const { t } = useI18n()
  const session = useSession()
  return (
    <>
      <PageHeader title={t('me.title')} sub={session.user.login} />
      <Columns least={420}>
        <Stack>
          <You />
          <Appearance />
        </Stack>
        <Stack>
          <Languages />
          <Password />
        </Stack>
      </Columns>
    </>
  )
}

/** Keeps a choice at once; what the server refuses is said, and the choice goes back. */
function useKeep(): (change: Partial<Prefs>) => void {
  const i18n = useI18n()
  return (change) => {
    const before = prefs()
    const old = Object.fromEntries(Object.keys(change).map((k) => [k, before[k as keyof Prefs]])) as Partial<Prefs>
    savePrefs(change).catch((error: unknown) => {
      setPrefs(old)
      toast({ kind: 'bad', text: explain(error, i18n) })
    })
  }
}

function You() {
  const { t } = useI18n()
  const { user, role, org } = useSession()
  const [name, setName] = useState(user.name)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const changed = name !== user.name
  return (
    <Card title={t('me.you')}>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          if (!changed || busy) return
          setBusy(true)
          setError(null)
          saveProfile({ name: name.trim() })
            .then(() => {
              setName((n) => n.trim())
              toast({ text: t('me.saved') })
            })
            .catch(setError)
            .finally(() => setBusy(false))
        }}
      >
        <Unsaved when={changed} />
        <Stack>
          <ErrorNotice error={error} />
          <TextInput
            label={t('me.name')}
            help={t('me.nameHelp')}
            autoComplete="name"
            maxLength={200}
            value={name}
            onChange={(e) => setName(e.target.value)}
          />
          <Facts
            facts={[
              [t('login.login'), <code key="login">{user.login}</code>],
              [t('me.role'), role],
              [t('me.org'), org],
            ]}
          />
          <Row>
            <Button type="submit" busy={busy} disabled={!changed}>
              {t('me.save')}
            </Button>
          </Row>
        </Stack>
      </form>
    </Card>
  )
}

function Appearance() {
  const { t } = useI18n()
  const chosen = usePrefs()
  const keep = useKeep()
  return (
    <Card title={t('me.appearance')}>
      <Stack>
        <RadioCards
          label={t('me.theme')}
          value={chosen.theme || 'system'}
          onChange={(v) => keep({ theme: v === 'system' ? '' : v })}
          options={[
            { value: 'system', label: t('me.followSystem') },
            { value: 'light', label: t('me.themeLight') },
            { value: 'dark', label: t('me.themeDark') },
          ]}
        />
        <RadioCards
          label={t('me.density')}
          help={t('me.densityHelp')}
          value={chosen.density}
          onChange={(density) => keep({ density })}
          options={[
            { value: 'comfortable', label: t('me.comfortable') },
            { value: 'compact', label: t('me.compact') },
          ]}
        />
        <Switch
          label={t('me.shortcuts')}
          help={t('me.shortcutsHelp')}
          checked={chosen.shortcuts}
          onChange={(e) => keep({ shortcuts: e.target.checked })}
        />
      </Stack>
    </Card>
  )
}

/** Every time zone that the browser knows by region, after the browser's own and UTC. A city is found by typing its name. */
function zones(t: I18n['t'], chosen: string): Option[] {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone
  const first = [
    { value: '', label: t('me.browserZone', { zone: own }) },
    { value: 'UTC', label: t('me.utc') },
  ]
  const known = Intl.supportedValuesOf('timeZone').filter((z) => z !== 'UTC')
  // A name that only the server and other browsers know stays the choice that is shown.
  if (chosen !== '' && chosen !== 'UTC' && !known.includes(chosen)) first.push({ value: chosen, label: chosen })
  const rest = known.map((z) => {
    const at = z.indexOf('/')
    return { value: z, label: z.slice(at + 1).replaceAll('_', ' '), group: at < 0 ? undefined : z.slice(0, at) }
  })
  return [...first, ...rest]
}

function Languages() {
  const { t, language } = useI18n()
  const chosen = usePrefs()
  const keep = useKeep()
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000)
    return () => clearInterval(timer)
  }, [])
  return (
    <Card title={t('me.languages')}>
      <Stack>
        <RadioCards
          label={t('shell.language')}
          help={t('me.languageHelp')}
          value={chosen.language || 'browser'}
          onChange={(v) => keep({ language: v === 'browser' ? '' : v })}
          options={[
            {
              value: 'browser',
              label: t('me.followBrowser', { language: languageName(languageOf({ ...chosen, language: '' })) }),
            },
            { value: 'en', label: languageName('en') },
            { value: 'ko', label: languageName('ko') },
          ]}
        />
        <Select
          label={t('me.zone')}
          help={`${t('me.zoneHelp')} ${t('me.now', { time: formats(language, chosen.timeZone).dateTime(now) })}`}
          options={zones(t, chosen.timeZone)}
          value={chosen.timeZone}
          onChange={(e) => keep({ timeZone: e.target.value })}
        />
      </Stack>
    </Card>
  )
}

function Password() {
  const { t } = useI18n()
  const { user } = useSession()
  const [done, setDone] = useState(false)
  return (
    <Card title={t('me.password')}>
      <Stack>
        {done ? <Notice tone="ok">{t('me.passwordChanged')}</Notice> : <p className="muted">{t('me.passwordEnds')}</p>}
        <Suspense fallback={<Skeleton height={280} />}>
          <PasswordForm
            login={user.login}
            oldLabel={t('me.passwordOld')}
            action={t('me.passwordChange')}
            onDone={() => setDone(true)}
          />
        </Suspense>
      </Stack>
    </Card>
  )
}
