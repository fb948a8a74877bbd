import { type FormEvent, useState } from 'react'
import { ApiError, exchange } from '../../api/client'
import { explainProblem } from '../../api/errors'
import { invalidate } from '../../api/query'
import type { NamedKey, Names, Problem } from '../../api/schema'
import { fieldAt } from '../../form/problems'
import { type PlainKey, useI18n } from '../../i18n'
import { Unsaved } from '../../layout/unsaved'
import { Button } from '../../ui/Button'
import { Card, Row, Stack } from '../../ui/Page'
import { ErrorNotice, Notice } from '../../ui/States'
import { TagInput } from '../../ui/TagInput'
import { TextInput } from '../../ui/TextInput'
import { toast } from '../../ui/Toast'
import { Effective, usePreview } from './Effective'
import { ExpiryField } from './Expiry'
import css from './Keys.module.css'
import { MayCall } from './MayCall'
import { nameOf, useNames } from './names'
import { changed, type Editable, editable, everyApi, patchOf } from './rights'

const names: Record<keyof Editable, PlainKey> = {
  alias: 'keys.alias',
  owner: 'keys.owner',
  policies: 'keys.policies',
  rights: 'keys.mayCall',
  tags: 'keys.tags',
  expiresAt: 'keys.expires',
}
const places = Object.fromEntries(Object.keys(names).map((k) => [`/${k}`, k as keyof Editable]))

/** Edits what people set of a key. A save sends what was touched; what others changed meanwhile is shown first. */
export function EditKey({ object, etag, onDone }: { object: NamedKey; etag: string; onDone: (problems: Problem[]) => void }) {
  const i18n = useI18n()
  const { t } = i18n
  // The version that the edit began with; a newer one in the cache does not move it.
  const [base, setBase] = useState({ from: editable(object), etag })
  const [value, setValue] = useState(base.from)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const [theirs, setTheirs] = useState<{ from: Editable; etag: string; names: Names } | null>(null)
  const [done, setDone] = useState(false)
  const [round, setRound] = useState(0)
  const set = (change: Partial<Editable>) => setValue((v) => ({ ...v, ...change }))
  const touched = changed(base.from, value)
  const draft = { ...value, alias: value.alias.trim() || '-', metadata: object.metadata }
  const preview = usePreview(draft)
  const names = useNames(object.names, theirs?.names, preview.data?.names)

  const send = async (at: { from: Editable; etag: string }) => {
    setBusy(true)
    setError(null)
    try {
      const answer = await exchange('PATCH /keys/{id}', {
        path: { id: object.id },
        body: patchOf(base.from, value),
        ifMatch: at.etag,
      })
      setDone(true)
      setTheirs(null)
      await invalidate('/keys')
      toast({ text: t('keys.saved', { alias: answer.data.object.alias }) })
      onDone(answer.data.problems)
    } catch (e) {
      if (e instanceof ApiError && e.status === 412) {
        try {
          const now = await exchange('GET /keys/{id}', { path: { id: object.id } })
          setTheirs({ from: editable(now.data), etag: now.etag, names: now.data.names })
        } catch (second) {
          setError(second)
        }
      } else setError(e)
    } finally {
      setBusy(false)
    }
  }
  const submit = (e: FormEvent) => {
    e.preventDefault()
    if (busy) return
    if (touched.length === 0) onDone([])
    else void send(base)
  }
  const problems = error instanceof ApiError ? error.problems : []
  const at = (f: keyof Editable) => {
    const p = problems.find((x) => x.severity === 'error' && fieldAt(x.path, places) === f)
    return p && explainProblem(p, i18n)
  }
  const rest = problems.filter((p) => !fieldAt(p.path, places))
  return (
    <form onSubmit={submit} noValidate>
      <Unsaved when={touched.length > 0 && !done} />
      <div className={css.sides}>
        <Stack>
          {error !== null && (problems.length === 0 || rest.length > 0) && <ErrorNotice error={error} problems={rest} />}
          {theirs && (
            <Conflict
              base={base.from}
              mine={value}
              theirs={theirs.from}
              named={names}
              busy={busy}
              onTheirs={() => {
                setBase(theirs)
                setValue(theirs.from)
                setTheirs(null)
                setRound(round + 1)
              }}
              onMine={() => void send(theirs)}
            />
          )}
          <Card title={t('keys.edit')}>
            <Stack key={round}>
              <TextInput
                label={t('keys.alias')}
                help={t('keys.aliasHelp')}
                required
                maxLength={200}
                value={value.alias}
                onChange={(e) => set({ alias: e.target.value })}
                error={at('alias') ?? (value.alias.trim() ? undefined : t('errors.required'))}
              />
              <TextInput
                label={t('keys.owner')}
                help={t('keys.ownerHelp')}
                maxLength={200}
                value={value.owner}
                onChange={(e) => set({ owner: e.target.value })}
                error={at('owner')}
              />
              <TagInput
                label={t('keys.tags')}
                optional
                value={value.tags}
                onChange={(tags) => set({ tags })}
                error={at('tags')}
              />
              <MayCall
                rights={value.rights}
                policies={value.policies}
                names={names}
                onRights={(rights) => set({ rights })}
                onPolicies={(policies) => set({ policies })}
                error={at('rights')}
                policyError={at('policies')}
              />
              <ExpiryField
                kept={base.from.expiresAt}
                value={value.expiresAt}
                onChange={(e) => set({ expiresAt: e === undefined ? base.from.expiresAt : e })}
                error={at('expiresAt')}
              />
              <Row>
                <Button look="primary" type="submit" busy={busy} disabled={!value.alias.trim()}>
                  {t('keys.save')}
                </Button>
                <Button onClick={() => onDone([])}>{t('ui.cancel')}</Button>
              </Row>
            </Stack>
          </Card>
        </Stack>
        <div className={css.aside}>
          <Card title={t('keys.effective')}>
            <Effective preview={preview.data} error={preview.error} never={value.expiresAt === null} />
          </Card>
        </div>
      </div>
    </form>
  )
}

/** Two people changed a key: what differs, and whose it shall be. */
function Conflict({
  base,
  mine,
  theirs,
  named,
  busy,
  onTheirs,
  onMine,
}: {
  base: Editable
  mine: Editable
  theirs: Editable
  named: Names
  busy: boolean
  onTheirs: () => void
  onMine: () => void
}) {
  const { t, format } = useI18n()
  const show = (k: keyof Editable, v: Editable) => {
    const x = v[k]
    if (k === 'expiresAt') return typeof x === 'string' ? format.dateTime(x) : t('keys.never')
    if (k === 'rights') {
      const apis = v.rights.map((r) => (r.api === everyApi ? t('keys.everyApi') : nameOf(named.apis, r.api)))
      return apis.join(', ') || t('ui.none')
    }
    if (k === 'policies') return v.policies.map((id) => nameOf(named.policies, id)).join(', ') || t('ui.none')
    return Array.isArray(x) ? x.join(', ') || t('ui.none') : x || t('ui.none')
  }
  const fields = [...new Set([...changed(base, mine), ...changed(base, theirs)])]
  return (
    <Notice tone="bad">
      {t('keys.conflict')}
      <table className={css.conflict}>
        <thead>
          <tr>
            <th scope="col">{t('keys.field')}</th>
            <th scope="col">{t('keys.mine')}</th>
            <th scope="col">{t('keys.theirs')}</th>
          </tr>
        </thead>
        <tbody>
          {fields.map((k) => (
            <tr key={k}>
              <th scope="row">{t(names[k])}</th>
              <td>{show(k, mine)}</td>
              <td>{show(k, theirs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Row>
        <Button small onClick={onTheirs}>
          {t('keys.useTheirs')}
        </Button>
        <Button small busy={busy} onClick={onMine}>
          {t('keys.keepMine')}
        </Button>
      </Row>
    </Notice>
  )
}
