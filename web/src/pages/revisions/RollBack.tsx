import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useEffect, useId, useState } from 'react'
import { ApiError, call } from '../../api/client'
import { explainProblem } from '../../api/errors'
import { invalidate, useRead } from '../../api/query'
import type { ObjectDiff, ObjectRef, Problem, RolledBack } from '../../api/schema'
import { Changes } from '../../changes/Changes'
import { useI18n } from '../../i18n'
import { useSession } from '../../session'
import { Button } from '../../ui/Button'
import { Checkbox } from '../../ui/Choice'
import { CheckIcon } from '../../ui/icons'
import { Link } from '../../ui/Link'
import { Dialog } from '../../ui/Overlay'
import { Stack } from '../../ui/Page'
import { EmptyState, ErrorNotice, ErrorState, Notice, Skeleton } from '../../ui/States'
import { TextInput } from '../../ui/TextInput'
import { toast } from '../../ui/Toast'
import css from './RollBack.module.css'
import { mayChange, splitProblems, writePermission } from './rollback'
import { authorText, objectName } from './words'

/** Objects that are shown at first; all of them count. */
const atOnce = 50

/** Later revisions of an object that are named one by one, the newest. */
const named = 3

const keyOf = (o: ObjectRef) => `${o.kind}/${o.id}`

/** The button that begins a way back to a revision, and the dialog that shows what it would do. */
export function RollBack({ n, newest }: { n: number; newest: number }) {
  const { t } = useI18n()
  const { can } = useSession()
  const [open, setOpen] = useState(false)
  const denied = !mayChange(can)
  return (
    <>
      <Button
        disabled={denied ? t('revisions.rollBackDenied') : n >= newest ? t('revisions.rollBackNewest') : false}
        onClick={() => setOpen(true)}
      >
        {t('revisions.rollBack')}
      </Button>
      <RollBackDialog n={n} newest={newest} open={open} onClose={() => setOpen(false)} />
    </>
  )
}

/** What a trial of the roll back answers, for the objects that are chosen now. */
function useTrial(n: number, newest: number, scope: ObjectRef[], enabled: boolean) {
  return useQuery({
    queryKey: ['roll back', n, newest, scope.map(keyOf)],
    queryFn: ({ signal }) =>
      call('POST /revisions/{n}/rollback', { path: { n }, query: { dry_run: '1' }, body: { note: '', scope }, signal }),
    enabled: enabled && scope.length > 0,
    gcTime: 0,
    staleTime: 0,
    retry: false,
  })
}

function RollBackDialog({ n, newest, open, onClose }: { n: number; newest: number; open: boolean; onClose: () => void }) {
  const { t } = useI18n()
  const { can } = useSession()
  const navigate = useNavigate()
  const form = useId()
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set())
  const [note, setNote] = useState('')
  const [busy, setBusy] = useState(false)
  const [failed, setFailed] = useState<unknown>(null)
  const read = useRead('GET /revisions/{a}/diff/{b}', { path: { a: newest, b: n } }, { enabled: open && newest > n })
  const found = read.data?.to === n && read.data.from > n ? read.data : undefined
  const fresh = found?.from === newest
  const objects = found?.objects ?? []
  const scope = objects
    .filter((o) => can(writePermission(o.kind)) && !left.has(keyOf(o)))
    .map(({ kind, id }): ObjectRef => ({ kind, id }))
  const trial = useTrial(n, newest, scope, open && fresh)
  useEffect(() => {
    if (!open) return
    setLeft(new Set())
    setNote('')
    setFailed(null)
  }, [open])
  const choose = (next: ReadonlySet<string>) => {
    setFailed(null)
    setLeft(next)
  }
  const error = scope.length > 0 ? (failed ?? trial.error) : null
  const why = !fresh
    ? t('revisions.rollBackReading')
    : scope.length === 0
      ? t('revisions.rollBackNone')
      : error !== null
        ? t('revisions.rollBackRefused')
        : trial.isPending
          ? t('revisions.rollBackReading')
          : note.trim() === ''
            ? t('revisions.rollBackNoNote')
            : false
  const send = async (e: FormEvent) => {
    e.preventDefault()
    if (why || busy) return
    setBusy(true)
    setFailed(null)
    try {
      const { revision } = await call('POST /revisions/{n}/rollback', { path: { n }, body: { note: note.trim(), scope } })
      onClose()
      void invalidate('/revisions', '/publishing', '/apis', '/policies')
      if (revision) await navigate({ to: `/revisions/${revision}`, state: { made: true } } as never)
      else toast({ text: t('revisions.rolledBackSame') })
    } catch (e) {
      setFailed(e)
    } finally {
      setBusy(false)
    }
  }
  const nothing = found && objects.length === 0
  return (
    <Dialog
      open={open}
      onClose={onClose}
      width={720}
      title={t('revisions.rollBackTitle', { n: String(n) })}
      foot={
        <>
          <Button onClick={onClose}>{t(nothing ? 'ui.close' : 'ui.cancel')}</Button>
          {!nothing && (
            <Button type="submit" form={form} look="primary" busy={busy} disabled={why}>
              {t('revisions.rollBackAction')}
            </Button>
          )}
        </>
      }
    >
      {nothing ? (
        <EmptyState icon={CheckIcon} title={t('revisions.rollBackEmpty')}>
          {t('revisions.rollBackEmptyHelp', { n: String(n) })}
        </EmptyState>
      ) : found ? (
        <form id={form} onSubmit={(e) => void send(e)}>
          <Stack>
            <p>{t('revisions.rollBackHelp', { n: String(n) })}</p>
            <Objects objects={objects} scope={scope} left={left} onChoose={choose} trial={trial.data} error={error} />
            <TextInput
              label={t('revisions.rollBackNote')}
              help={t('revisions.rollBackNoteHelp')}
              required
              maxLength={500}
              value={note}
              onChange={(e) => setNote(e.target.value)}
              data-autofocus
            />
          </Stack>
        </form>
      ) : read.error ? (
        <ErrorState error={read.error} onRetry={() => void read.refetch()} />
      ) : (
        <Stack>
          <Skeleton width="80%" />
          <Skeleton height={120} />
        </Stack>
      )}
    </Dialog>
  )
}

/** The objects that would go back, to be chosen, with what becomes of them and why some cannot. */
function Objects({
  objects,
  scope,
  left,
  onChoose,
  trial,
  error,
}: {
  objects: ObjectDiff[]
  scope: ObjectRef[]
  left: ReadonlySet<string>
  onChoose: (left: ReadonlySet<string>) => void
  trial?: RolledBack
  error: unknown
}) {
  const i18n = useI18n()
  const { t } = i18n
  const { can } = useSession()
  const [shown, setShown] = useState(atOnce)
  const allowed = objects.filter((o) => can(writePermission(o.kind)))
  const all = scope.length === allowed.length && scope.length > 0
  const { byObject, others } = splitProblems(error instanceof ApiError ? error.problems : [], objects)
  const warnings = splitProblems(trial?.problems ?? [], trial?.plan ?? [])
  const general = error !== null && byObject.size === 0
  const toggle = (o: ObjectDiff, on: boolean) => {
    const next = new Set(left)
    if (on) next.delete(keyOf(o))
    else next.add(keyOf(o))
    onChoose(next)
  }
  return (
    <>
      {byObject.size > 0 && <Notice tone="bad">{t('revisions.rollBackRefused')}</Notice>}
      {general && <ErrorNotice error={error} problems={others} />}
      <div className={css.objects}>
        {allowed.length > 1 && (
          <div className={css.all}>
            <Checkbox
              checked={all}
              ref={(box) => {
                if (box) box.indeterminate = !all && scope.length > 0
              }}
              onChange={(e) => onChoose(e.target.checked ? new Set() : new Set(allowed.map(keyOf)))}
              label={
                all
                  ? t('revisions.rollBackAllChosen', { count: objects.length })
                  : t('revisions.rollBackChosen', { chosen: String(scope.length), count: objects.length })
              }
            />
          </div>
        )}
        <ul aria-label={t('revisions.changes')}>
          {objects.slice(0, shown).map((o) => (
            <li key={keyOf(o)}>
              <Item
                object={o}
                chosen={scope.some((s) => keyOf(s) === keyOf(o))}
                onToggle={(on) => toggle(o, on)}
                later={trial?.later.find((l) => keyOf(l) === keyOf(o))}
                refusals={byObject.get(keyOf(o)) ?? []}
                warnings={warnings.byObject.get(keyOf(o)) ?? []}
                missing={can(writePermission(o.kind)) ? '' : writePermission(o.kind)}
              />
            </li>
          ))}
        </ul>
        {objects.length > shown && (
          <div className={css.all}>
            <Button small onClick={() => setShown(shown + atOnce)}>
              {t('revisions.moreChanges', { count: objects.length })}
            </Button>
          </div>
        )}
      </div>
      {warnings.others.length > 0 && (
        <Notice tone="warn">
          <ul>
            {warnings.others.map((p) => (
              <li key={p.code + p.path}>{explainProblem(p, i18n)}</li>
            ))}
          </ul>
        </Notice>
      )}
    </>
  )
}

const will = { create: 'revisions.willCreate', update: 'revisions.willUpdate', delete: 'revisions.willDelete' } as const

function Item({
  object: o,
  chosen,
  onToggle,
  later,
  refusals,
  warnings,
  missing,
}: {
  object: ObjectDiff
  chosen: boolean
  onToggle: (on: boolean) => void
  later?: RolledBack['later'][number]
  refusals: Problem[]
  warnings: Problem[]
  missing: string
}) {
  const i18n = useI18n()
  const { t } = i18n
  return (
    <div className={css.item} data-chosen={chosen}>
      <Checkbox
        checked={chosen}
        disabled={missing !== ''}
        onChange={(e) => onToggle(e.target.checked)}
        label={<b>{t(will[o.action], { name: objectName(o, i18n) })}</b>}
        help={missing ? t('revisions.rollBackDeniedOne', { permission: missing }) : undefined}
      />
      {chosen && (
        <div className={css.what}>
          {o.action === 'update' && o.differences && <Changes differences={o.differences} />}
          {later && <Since later={later} />}
          {refusals.length > 0 && (
            <Notice
              tone="bad"
              action={
                <Button small onClick={() => onToggle(false)}>
                  {t('revisions.leaveOut')}
                </Button>
              }
            >
              {refusals.map((p) => (
                <p key={p.code + p.path}>{explainProblem(p, i18n)}</p>
              ))}
            </Notice>
          )}
          {warnings.length > 0 && (
            <Notice tone="warn">
              {warnings.map((p) => (
                <p key={p.code + p.path}>{explainProblem(p, i18n)}</p>
              ))}
            </Notice>
          )}
        </div>
      )}
    </div>
  )
}

/** The later revisions of an object, whose work is taken back. */
function Since({ later }: { later: RolledBack['later'][number] }) {
  const i18n = useI18n()
  const { t, rich } = i18n
  const shown = later.revisions.slice(-named).reverse()
  const more = (later.more ?? 0) + later.revisions.length - shown.length
  return (
    <ul className={css.since}>
      {shown.map((r) => {
        const author = authorText(r.author, i18n)
        const revision = <Link to={`/revisions/${r.revision}`}>{String(r.revision)}</Link>
        return (
          <li key={r.revision}>
            {r.note
              ? rich('revisions.changedSince', { author, revision, note: r.note })
              : rich('revisions.changedSinceBare', { author, revision })}
          </li>
        )
      })}
      {more > 0 && <li>{t('revisions.earlierToo', { count: more })}</li>}
    </ul>
  )
}
