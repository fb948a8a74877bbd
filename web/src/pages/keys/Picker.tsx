import { type ReactNode, useEffect, useId, useState } from 'react'
import { type List, useList } from '../../api/query'
import { useI18n } from '../../i18n'
import { Button } from '../../ui/Button'
import { Checkbox } from '../../ui/Choice'
import { FieldSet } from '../../ui/Field'
import { CloseIcon, SearchIcon } from '../../ui/icons'
import { ErrorNotice, Skeleton } from '../../ui/States'
import { TextInput } from '../../ui/TextInput'
import css from './Keys.module.css'
import { nameOf } from './names'

interface Entry {
  id: string
  name: string
  note?: ReactNode
}

interface PickerProps {
  label: string
  help?: string
  error?: string
  value: string[]
  /** Of what is chosen, as far as they are known. */
  names: Record<string, string>
  onChange: (ids: string[]) => void
}

/** Some of all APIs; the search is the server's, so that it finds what no page of the list has. */
export function ApiPicker(props: PickerProps) {
  const { t } = useI18n()
  const [q, setQ] = useSettled()
  const list = useList('GET /apis', { q: q.settled || undefined, sort: 'name' })
  const entries = list.items.map((a) => ({
    id: a.meta.id,
    name: a.object.name,
    note: (a.object.listen as { path?: string } | undefined)?.path,
  }))
  return (
    <Picker
      {...props}
      list={list}
      entries={entries}
      q={q.typed}
      onSearch={setQ}
      hint={t('keys.searchApis')}
      none={t('keys.noApis')}
    />
  )
}

/** Some of all policies. */
export function PolicyPicker(props: PickerProps) {
  const { t } = useI18n()
  const [q, setQ] = useSettled()
  const list = useList('GET /policies', { q: q.settled || undefined, sort: 'name' })
  const entries = list.items.map((p) => ({
    id: p.meta.id,
    name: p.object.name,
    note: p.object.state === 'disabled' ? t('state.disabled') : undefined,
  }))
  return (
    <Picker
      {...props}
      list={list}
      entries={entries}
      q={q.typed}
      onSearch={setQ}
      hint={t('keys.searchPolicies')}
      none={t('keys.noPolicies')}
    />
  )
}

function Picker({
  value,
  names,
  onChange,
  list,
  entries,
  q,
  onSearch,
  hint,
  none,
  ...field
}: PickerProps & {
  list: List<unknown>
  entries: Entry[]
  q: string
  onSearch: (q: string) => void
  hint: string
  none: string
}) {
  const { t } = useI18n()
  const id = useId()
  // The list below may be searched for another by the time at which a name is told.
  const [picked, setPicked] = useState<Record<string, string>>({})
  const add = (e: Entry) => {
    setPicked({ ...picked, [e.id]: e.name })
    onChange([...value, e.id])
  }
  const remove = (entry: string) => onChange(value.filter((v) => v !== entry))
  return (
    <FieldSet {...field}>
      <div className={css.picker}>
        {value.length > 0 && (
          <ul className={css.chosen} aria-label={t('ui.selected', { count: value.length })}>
            {value.map((v) => (
              <Chosen key={v} id={v} name={nameOf({ ...picked, ...names }, v)} onRemove={() => remove(v)} />
            ))}
          </ul>
        )}
        {(list.items.length > 0 || q || list.loading) && (
          <TextInput
            label={hint}
            hideLabel
            placeholder={hint}
            icon={SearchIcon}
            value={q}
            onChange={(e) => onSearch(e.target.value)}
          />
        )}
        <ErrorNotice error={list.error} />
        {list.loading ? (
          <Skeleton height={96} />
        ) : entries.length === 0 && !list.error ? (
          <p className="muted small">{q ? t('ui.noOptions') : none}</p>
        ) : (
          <div className={css.options} aria-busy={list.stale}>
            {entries.map((e) => (
              <div key={e.id} className={css.entry}>
                <Checkbox
                  id={`${id}${e.id}`}
                  checked={value.includes(e.id)}
                  onChange={(ev) => (ev.target.checked ? add(e) : remove(e.id))}
                  label={
                    <span className={css.entryText}>
                      <span className="truncate">{e.name}</span>
                      <code className="muted truncate">{e.id}</code>
                      {e.note && <span className="muted truncate">{e.note}</span>}
                    </span>
                  }
                />
              </div>
            ))}
            {list.more && (
              <Button small look="ghost" busy={list.loadingMore} onClick={list.loadMore}>
                {t('keys.moreOf', { shown: entries.length, total: list.total })}
              </Button>
            )}
          </div>
        )}
      </div>
    </FieldSet>
  )
}

/** One that is chosen, by its name. */
function Chosen({ id, name, onRemove }: { id: string; name: string; onRemove: () => void }) {
  const { t } = useI18n()
  return (
    <li>
      <span className="truncate" title={id}>
        {name}
      </span>
      <button type="button" aria-label={t('ui.removeTag', { name })} onClick={onRemove}>
        <CloseIcon size={13} aria-hidden />
      </button>
    </li>
  )
}

function useSettled(): [{ typed: string; settled: string }, (q: string) => void] {
  const [typed, setTyped] = useState('')
  const [settled, setSettled] = useState('')
  useEffect(() => {
    const timer = setTimeout(() => setSettled(typed.trim()), 160)
    return () => clearTimeout(timer)
  }, [typed])
  return [{ typed, settled }, setTyped]
}
