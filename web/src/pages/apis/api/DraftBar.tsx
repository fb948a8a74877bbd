import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { ApiError } from '../../../api/client'
import { explainProblem } from '../../../api/errors'
import type { Problem } from '../../../api/schema'
import { Changes } from '../../../changes/Changes'
import { type Merge, pointer } from '../../../form/json/change'
import { pretty } from '../../../form/json/text'
import { useI18n } from '../../../i18n'
import { PublishTicks } from '../../../publish/PublishTicks'
import { Button } from '../../../ui/Button'
import { RadioCards } from '../../../ui/Choice'
import { CodeBlock } from '../../../ui/Code'
import { ConfirmByName, Dialog } from '../../../ui/Overlay'
import { Row, Stack } from '../../../ui/Page'
import { ErrorNotice, Notice, Skeleton } from '../../../ui/States'
import { useShortcuts } from '../../../ui/shortcuts'
import { Tabs } from '../../../ui/Tabs'
import { TextInput } from '../../../ui/TextInput'
import { toast } from '../../../ui/Toast'
import css from './Api.module.css'
import { type Draft, newest, type Version } from './draft'
import { placeName, sentence } from './sentences'

type Open = 'review' | 'discard' | { newer: Version; merge: Merge } | null

/** What was changed and not published, at the lower edge: review, publish, bring together, discard. */
export function DraftBar({ id, draft, onFocus }: { id: string; draft: Draft; onFocus: (at: string) => void }) {
  const i18n = useI18n()
  const { t } = i18n
  const [open, setOpen] = useState<Open>(null)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const [published, setPublished] = useState(0)
  const errors = draft.problems.filter((p) => p.severity === 'error')

  /** Brings a newer version in by itself where the changes fit; asks where they do not. */
  const bring = (newer: Version) => {
    setError(null)
    const merge = draft.merge(newer)
    if (merge.conflicts.length > 0) setOpen({ newer, merge })
    else draft.adopt(newer, merge, new Set())
  }
  const publish = async (note: string) => {
    setBusy(true)
    setError(null)
    try {
      const answer = await draft.publish(note)
      setOpen(null)
      setPublished(answer.revision ?? 0)
      if (!answer.revision) toast({ text: t('api.same') })
    } catch (e) {
      if (e instanceof ApiError && e.status === 412) {
        try {
          bring(await newest(id))
        } catch (again) {
          setError(again)
        }
        return
      }
      setError(e)
      if (!(e instanceof ApiError) || e.problems.length === 0) return
      draft.setProblems(e.problems)
      setOpen(null)
      const first = e.problems.find((p) => p.severity === 'error')
      if (first) onFocus(first.path)
    } finally {
      setBusy(false)
    }
  }
  const review = () => draft.dirty && !draft.fault && setOpen('review')
  useShortcuts({ 'mod+Enter': review, 'mod+s': review })

  if (!draft.dirty) {
    return published > 0 ? (
      <section className={css.bar} aria-label={t('api.published')}>
        <div style={{ flex: 1, minWidth: 0 }}>
          <PublishTicks revision={published} />
        </div>
        <Button small onClick={() => setPublished(0)}>
          {t('api.closePublished')}
        </Button>
      </section>
    ) : null
  }
  const gone = error instanceof ApiError && error.code === 'api.not_found'
  return (
    <>
      <section className={css.bar} aria-label={t('api.review')}>
        <b role="status">
          {draft.changes.length > 0 || draft.fault
            ? t('api.unsaved', { count: Math.max(1, draft.changes.length) })
            : t('api.spelling')}
        </b>
        <Button onClick={() => setOpen('discard')}>{t('api.discard')}</Button>
        <Button
          look="primary"
          onClick={review}
          disabled={draft.fault ? t('api.broken', { line: String(draft.fault.line) }) : false}
        >
          {t('api.review')}
        </Button>
        {draft.fault && (
          <div className={css.barNote}>
            <Notice tone="bad">{t('api.broken', { line: String(draft.fault.line) })}</Notice>
          </div>
        )}
        {draft.newer && (
          <div className={css.barNote}>
            <Notice
              tone="warn"
              action={
                <Button small onClick={() => draft.newer && bring(draft.newer)} disabled={Boolean(draft.fault)}>
                  {t('api.bringIn')}
                </Button>
              }
            >
              {t('api.newer', { revision: String(draft.newer.revision), name: draft.newer.by })}
            </Notice>
          </div>
        )}
        {draft.brought && !draft.newer && <Brought draft={draft} />}
        {errors.length > 0 && (
          <div className={css.barNote}>
            <Findings problems={errors} onFocus={onFocus} draft={draft} />
          </div>
        )}
        {error !== null && errors.length === 0 && (
          <div className={css.barNote}>{gone ? <Notice tone="bad">{t('api.gone')}</Notice> : <ErrorNotice error={error} />}</div>
        )}
      </section>
      <Review
        open={open === 'review'}
        draft={draft}
        busy={busy}
        error={error}
        onClose={() => setOpen(null)}
        onPublish={publish}
      />
      <ConfirmByName
        open={open === 'discard'}
        onClose={() => setOpen(null)}
        title={t('api.discardTitle')}
        action={t('api.discard')}
        onConfirm={() => {
          setOpen(null)
          setError(null)
          draft.discard()
        }}
      >
        {t('api.discardHelp')}
      </ConfirmByName>
      {open !== null && typeof open === 'object' && (
        <Conflicts
          {...open}
          draft={draft}
          onClose={() => setOpen(null)}
          onDone={(mine) => {
            draft.adopt(open.newer, open.merge, mine)
            setOpen(null)
          }}
        />
      )}
    </>
  )
}

function Brought({ draft: { brought } }: { draft: Draft }) {
  const { t } = useI18n()
  if (!brought) return null
  const who = { revision: String(brought.revision), name: brought.by }
  return (
    <div className={css.barNote}>
      <Notice tone="ok">
        {brought.changes.length === 0 ? t('api.broughtNone', who) : t('api.brought', { ...who, count: brought.changes.length })}
      </Notice>
    </div>
  )
}

function Findings({ problems, onFocus, draft }: { problems: Problem[]; onFocus: (at: string) => void; draft: Draft }) {
  const i18n = useI18n()
  return (
    <Notice tone="bad">
      {i18n.t('api.findings', { count: problems.length })}
      <ul>
        {problems.map((p) => (
          <li key={p.path + p.code}>
            <button type="button" onClick={() => onFocus(p.path)}>
              {placeName(p.path.split('/').slice(1), draft.value, i18n) || i18n.t('api.json')}
            </button>{' '}
            {explainProblem(p, i18n)}
          </li>
        ))}
      </ul>
    </Notice>
  )
}

function Review({
  open,
  draft,
  busy,
  error,
  onClose,
  onPublish,
}: {
  open: boolean
  draft: Draft
  busy: boolean
  error: unknown
  onClose: () => void
  onPublish: (note: string) => Promise<void>
}) {
  const i18n = useI18n()
  const { t } = i18n
  const [tab, setTab] = useState('changes')
  const [note, setNote] = useState('')
  const send = () => void onPublish(note.trim())
  useShortcuts(open && !busy ? { 'mod+Enter': send } : {})
  const trial = useQuery({
    queryKey: ['review', draft.base.etag, draft.text],
    queryFn: ({ signal }) => draft.trial(signal),
    enabled: open && draft.dirty && !draft.fault,
    gcTime: 0,
    retry: false,
  })
  if (!open) return null
  const differences = trial.data?.plan[0]?.differences
  const { method, body } = draft.request()
  const warnings = draft.problems.filter((p) => p.severity === 'warning')
  return (
    <Dialog
      open
      onClose={onClose}
      width={640}
      title={t('api.reviewTitle')}
      foot={
        <>
          <Button onClick={onClose}>{t('ui.cancel')}</Button>
          <Button look="primary" busy={busy} onClick={send}>
            {t('api.publish')}
          </Button>
        </>
      }
    >
      <Stack>
        <ErrorNotice error={error} />
        <Brought draft={draft} />
        <div>
          <Tabs
            label={t('api.reviewTitle')}
            current={tab}
            onChange={setTab}
            tabs={[
              { id: 'changes', label: t('api.reviewChanges'), count: differences?.length ?? draft.changes.length },
              { id: 'json', label: t('api.reviewJson') },
            ]}
          >
            {tab === 'changes' && trial.isPending ? (
              <Skeleton height={24 * Math.max(1, draft.changes.length)} />
            ) : tab === 'changes' && differences ? (
              <Changes differences={differences} />
            ) : tab === 'changes' ? (
              <ul className={css.sentences}>
                {draft.changes.length === 0 && <li>{t('api.spelling')}</li>}
                {draft.changes.map((c) => (
                  <li key={pointer(c.path)}>{sentence(c, draft.base.value, draft.value, i18n)}</li>
                ))}
              </ul>
            ) : (
              <Stack>
                <p className="small muted">{t(method === 'PATCH' ? 'api.reviewPatch' : 'api.reviewWhole')}</p>
                <CodeBlock text={method === 'PATCH' ? pretty(body) : body} label={t('api.reviewJson')} />
              </Stack>
            )}
          </Tabs>
        </div>
        {warnings.length > 0 && (
          <Notice tone="warn">
            {t('api.warnings')}
            <ul>
              {warnings.map((p) => (
                <li key={p.path + p.code}>{explainProblem(p, i18n)}</li>
              ))}
            </ul>
          </Notice>
        )}
        <TextInput
          label={t('api.note')}
          help={t('api.noteHelp')}
          optional
          maxLength={500}
          value={note}
          onChange={(e) => setNote(e.target.value)}
        />
      </Stack>
    </Dialog>
  )
}

function Conflicts({
  newer,
  merge,
  draft,
  onClose,
  onDone,
}: {
  newer: Version
  merge: Merge
  draft: Draft
  onClose: () => void
  onDone: (mine: ReadonlySet<string>) => void
}) {
  const i18n = useI18n()
  const { t } = i18n
  const [picks, setPicks] = useState<Record<string, 'mine' | 'theirs'>>({})
  const all = merge.conflicts.map((c) => ({ ...c, at: pointer(c.path) }))
  const ready = all.every((c) => picks[c.at])
  return (
    <Dialog
      open
      onClose={onClose}
      width={640}
      title={t('api.conflictTitle')}
      foot={
        <>
          <Button onClick={onClose}>{t('ui.cancel')}</Button>
          <Button
            look="primary"
            disabled={!ready}
            onClick={() => onDone(new Set(all.filter((c) => picks[c.at] === 'mine').map((c) => c.at)))}
          >
            {t('api.conflictGo')}
          </Button>
        </>
      }
    >
      <Stack>
        <p>{t('api.conflictHelp', { revision: String(newer.revision), name: newer.by })}</p>
        {all.map((c) => (
          <div key={c.at} className={css.conflict}>
            <RadioCards
              label={placeName(c.path, c.mine === undefined ? draft.base.value : draft.value, i18n)}
              value={picks[c.at]}
              onChange={(v) => setPicks({ ...picks, [c.at]: v })}
              options={[
                { value: 'mine', label: t('api.conflictMine'), help: <Text value={c.mine} /> },
                { value: 'theirs', label: t('api.conflictTheirs', { name: newer.by }), help: <Text value={c.theirs} /> },
              ]}
            />
            <Row>
              <span className="muted small">{t('api.conflictBase')}</span>
              <Text value={c.base} />
            </Row>
          </div>
        ))}
      </Stack>
    </Dialog>
  )
}

function Text({ value }: { value: unknown }) {
  const { t } = useI18n()
  return <pre>{value === undefined ? t('api.nothing') : JSON.stringify(value, null, 2)}</pre>
}
