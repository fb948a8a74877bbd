import { type FormEvent, useEffect, useRef, useState } from 'react'
import { ApiError } from '../../../api/client'
import { explain, explainProblem } from '../../../api/errors'
import type { Definition, Problem } from '../../../api/schema'
import { fieldAt } from '../../../form/problems'
import { useI18n } from '../../../i18n'
import { Button } from '../../../ui/Button'
import { Card, PageHeader, Row, Stack } from '../../../ui/Page'
import { ErrorNotice, Notice } from '../../../ui/States'
import { modKey, useShortcuts } from '../../../ui/shortcuts'
import css from './Create.module.css'
import { type Say, useAvailability, useProbe } from './checks'
import { create, type Found, lookFor } from './create'
import { type Draft, definitionOf, type Fields, keepDraft, loadDraft, noFields, pathFrom } from './draft'
import { FormFields } from './FormFields'
import { Preview } from './Preview'

/** Findings by field. */
export type Faults = Partial<Record<keyof Fields, Say>>

const order: (keyof Fields)[] = ['name', 'upstream', 'domain', 'path', 'match', 'strip', 'auth']

/** Where the server's findings belong. */
const places: Record<string, keyof Fields> = {
  '/name': 'name',
  '/id': 'name',
  '/listen/domains': 'domain',
  '/listen/path': 'path',
  '/listen': 'path',
  '/upstream': 'upstream',
  '/filters/auth': 'auth',
}

/** What can be seen without asking anybody. */
export function faultsOf(f: Fields, opened: boolean): Faults {
  const faults: Faults = {}
  if (!f.name.trim()) faults.name = ({ t }) => t('newApi.nameMissing')
  if (!f.upstream.trim()) faults.upstream = ({ t }) => t('newApi.upstreamMissing')
  else if (!/^https?:\/\/[^\s/?#@]+(?:[/?#]|$)/i.test(f.upstream.trim())) faults.upstream = ({ t }) => t('newApi.upstreamInvalid')
  if (/[\s/]|:\/\//.test(f.domain.trim()) || /^[^[\]:]+:\d+$/.test(f.domain.trim()))
    faults.domain = ({ t }) => t('newApi.domainInvalid')
  if (!f.path.trim()) faults.path = ({ t }) => t('newApi.pathMissing')
  else if (!f.path.trim().startsWith('/')) faults.path = ({ t }) => t('newApi.pathSlash')
  if (f.auth === 'none' && !opened) faults.auth = ({ t }) => t('newApi.decideOpen')
  return faults
}

/** Puts the server's findings to their fields; what belongs to no field comes back. */
function place(error: unknown): { faults: Faults; rest: Problem[] } {
  const faults: Faults = {}
  if (!(error instanceof ApiError)) return { faults, rest: [] }
  const rest = error.problems.filter((p) => {
    const field = p.severity === 'error' ? fieldAt(p.path, places) : undefined
    if (field && faults[field] === undefined) faults[field] = (i18n) => explainProblem(p, i18n)
    return !field
  })
  return { faults, rest }
}

interface Trouble {
  error: unknown
  rest: Problem[]
}

/** The form with its preview. What is written survives a refresh; what was sent is sent once. */
export function NewForm({ onCreated }: { onCreated: (id: string, revision: number, problems: Problem[]) => void }) {
  const i18n = useI18n()
  const { t } = i18n
  const [draft, setDraft] = useState<Draft>(loadDraft)
  const [opened, setOpened] = useState(false)
  const [faults, setFaults] = useState<Faults>({})
  const [trouble, setTrouble] = useState<Trouble | null>(null)
  const [busy, setBusy] = useState(false)
  const [note, setNote] = useState<{ tone: 'ok' | 'warn'; text: Say } | null>(null)
  const sending = useRef(false)
  const form = useRef<HTMLFormElement>(null)
  const probe = useProbe()
  const availability = useAvailability()
  const { fields, pending } = draft

  const keep = (next: Draft) => {
    setDraft(next)
    keepDraft(next)
  }
  const change = (some: Partial<Fields>) => {
    const next = { ...fields, ...some }
    const pathOwn = draft.pathOwn || (some.path !== undefined && some.path !== pathFrom(fields.name))
    if (some.name !== undefined && !pathOwn) next.path = pathFrom(some.name)
    if (some.auth !== undefined) setOpened(false)
    if (next.upstream !== fields.upstream) probe.clear()
    if (next.path !== fields.path || next.domain !== fields.domain) availability.clear()
    setFaults((old) =>
      Object.fromEntries(Object.entries(old).filter(([k]) => next[k as keyof Fields] === fields[k as keyof Fields])),
    )
    setNote(null)
    keep({ ...draft, fields: next, pathOwn })
  }
  const focus = (found: Faults) => {
    const first = order.find((f) => found[f])
    if (first) form.current?.querySelector<HTMLElement>(`[data-field="${first}"] input, input[name="${first}"]`)?.focus()
  }

  const send = async () => {
    if (sending.current || pending) return
    const found = faultsOf(fields, opened)
    setFaults(found)
    setTrouble(null)
    setNote(null)
    if (Object.keys(found).length > 0) return focus(found)
    const definition = definitionOf(fields)
    sending.current = true
    setBusy(true)
    // Kept before it is sent: a tab that is loaded anew in between knows that there is something to look for.
    keepDraft({ ...draft, pending: definition })
    const outcome = await create(definition)
    sending.current = false
    setBusy(false)
    if (outcome.kind === 'created') {
      keepDraft(null)
      return onCreated(outcome.id, outcome.revision, outcome.problems)
    }
    if (outcome.kind === 'unknown') {
      keep({ ...draft, pending: definition })
      return setTrouble({ error: outcome.error, rest: [] })
    }
    keep({ ...draft, pending: undefined })
    const placed = place(outcome.error)
    setFaults(placed.faults)
    if (Object.keys(placed.faults).length === 0 || placed.rest.length > 0) setTrouble({ error: outcome.error, rest: placed.rest })
    if (placed.faults.path) void availability.check(fields.path.trim(), fields.domain.trim())
    focus(placed.faults)
  }
  const found = (f: Found) => {
    setTrouble(null)
    if (f.kind === 'saved') {
      keepDraft(null)
      return onCreated(f.id, f.revision, [])
    }
    keep({ ...draft, pending: undefined })
    setNote(
      f.kind === 'absent'
        ? { tone: 'ok', text: ({ t }) => t('newApi.lookAbsent') }
        : { tone: 'warn', text: ({ t }) => t('newApi.lookOther', { name: f.name }) },
    )
  }
  useShortcuts({ 'mod+Enter': () => void send() })
  const submit = (e: FormEvent) => {
    e.preventDefault()
    void send()
  }

  return (
    <>
      <PageHeader title={t('titles.newApi')} />
      <div className={css.columns}>
        <form ref={form} onSubmit={submit} noValidate>
          <Card>
            <Stack>
              {pending && !busy && <Unknown sent={pending} error={trouble?.error} onFound={found} />}
              {!pending && trouble && <ErrorNotice error={trouble.error} problems={trouble.rest} />}
              {note && <Notice tone={note.tone}>{note.text(i18n)}</Notice>}
              <FormFields
                fields={fields}
                faults={faults}
                opened={opened}
                probe={probe}
                availability={availability}
                onChange={change}
                onOpen={() => {
                  setOpened(true)
                  setFaults(({ auth: _, ...rest }) => rest)
                }}
                onFault={(field, text) => setFaults((old) => ({ ...old, [field]: text }))}
              />
              <Row>
                <Button look="primary" type="submit" busy={busy} disabled={pending && !busy ? t('newApi.lookFirst') : false}>
                  {t('newApi.create')} <kbd className={css.kbd}>{modKey() === '⌘' ? '⌘⏎' : 'Ctrl ⏎'}</kbd>
                </Button>
                {!pending && JSON.stringify(fields) !== JSON.stringify(noFields) && (
                  <Button
                    look="ghost"
                    onClick={() => {
                      setDraft({ fields: noFields, pathOwn: false })
                      keepDraft(null)
                      setFaults({})
                      setTrouble(null)
                      setNote(null)
                      probe.clear()
                      availability.clear()
                    }}
                  >
                    {t('newApi.clear')}
                  </Button>
                )}
              </Row>
            </Stack>
          </Card>
        </form>
        <Preview fields={fields} />
      </div>
    </>
  )
}

/** The last attempt was not answered: says so, and looks. */
function Unknown({ sent, error, onFound }: { sent: Definition; error: unknown; onFound: (f: Found) => void }) {
  const i18n = useI18n()
  const { t } = i18n
  const [looking, setLooking] = useState(false)
  const [failed, setFailed] = useState<unknown>(null)
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    box.current?.scrollIntoView({ block: 'nearest' })
  }, [])
  const look = () => {
    setLooking(true)
    setFailed(null)
    lookFor(sent)
      .then(onFound, setFailed)
      .finally(() => setLooking(false))
  }
  return (
    <div ref={box}>
      <Notice
        tone="warn"
        action={
          <Button small busy={looking} onClick={look}>
            {t('newApi.look')}
          </Button>
        }
      >
        <b>{t('newApi.unknown')}</b>
        <p>{t('newApi.unknownHelp')}</p>
        {Boolean(failed) && <p>{t('newApi.lookFailed', { reason: explain(failed, i18n) })}</p>}
        {!failed && error instanceof ApiError && <p className="small muted">{explain(error, i18n)}</p>}
      </Notice>
    </div>
  )
}
