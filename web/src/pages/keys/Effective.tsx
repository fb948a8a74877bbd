import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { call } from '../../api/client'
import { explainProblem } from '../../api/errors'
import type { KeyPreview, Names, NewKey } from '../../api/schema'
import { type I18n, useI18n } from '../../i18n'
import { Facts, Stack } from '../../ui/Page'
import { ErrorNotice, Notice, Skeleton } from '../../ui/States'
import css from './Keys.module.css'
import { nameOf } from './names'
import { everyApi } from './rights'

/** What a key and its policies come to, as gateways would judge it; asked anew when the draft rests. */
export function usePreview(draft: NewKey, enabled = true) {
  const text = JSON.stringify(draft)
  const [settled, setSettled] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 250)
    return () => clearTimeout(timer)
  }, [text])
  return useQuery({
    queryKey: ['POST /keys/preview', settled],
    queryFn: ({ signal }) => call('POST /keys/preview', { body: JSON.parse(settled) as NewKey, signal }),
    enabled,
    staleTime: 5_000,
    gcTime: 0,
    placeholderData: (old) => old,
    retry: false,
  })
}

/** Where a value comes from, in words. */
function originOf(origin: string | undefined, names: Names, { t, format }: I18n): string {
  if (!origin) return ''
  return format.list(
    origin
      .split(', ')
      .map((o) =>
        o === 'key' ? t('keys.fromKey') : t('keys.fromPolicy', { policy: nameOf(names.policies, o.replace(/^policy:/, '')) }),
      ),
  )
}

/** An API by its name, and by its id where that says more. */
function ApiName({ id, names }: { id: string; names: Names }) {
  const name = nameOf(names.apis, id)
  return (
    <span>
      <b>{name}</b> {name !== id && <code className="muted">{id}</code>}
    </span>
  )
}

const escaped = (s: string) => s.replaceAll('~', '~0').replaceAll('/', '~1')

/** Every value that counts, each with where it comes from. */
export function Effective({ preview, error, never }: { preview: KeyPreview | undefined; error: unknown; never: boolean }) {
  const i18n = useI18n()
  const { t, format } = i18n
  if (error) return <ErrorNotice error={error} />
  if (!preview) return <Skeleton height={120} />
  const from = (pointer: string) => originOf(preview.origins[pointer], preview.names, i18n)
  return (
    <Stack>
      {preview.refused && <Notice tone="warn">{t('keys.refused')}</Notice>}
      {preview.skipped.length > 0 && !preview.refused && (
        <Notice tone="warn">
          {t('keys.skipped', { policies: format.list(preview.skipped.map((id) => nameOf(preview.names.policies, id))) })}
        </Notice>
      )}
      {preview.problems
        .filter((p) => p.code !== 'key.may_nothing')
        .map((p) => (
          <Notice key={p.code + p.path} tone="warn">
            {explainProblem(p, i18n)}
          </Notice>
        ))}
      <div>
        <h3 className={css.small}>{t('keys.mayCall')}</h3>
        {preview.rights.length === 0 ? (
          <p className="muted">{t('keys.mayNothing')}</p>
        ) : (
          <ul className={css.rights}>
            {preview.rights.map((r) => (
              <li key={r.api}>
                <div className={css.right}>
                  {r.api === everyApi ? <b>{t('keys.everyApi')}</b> : <ApiName id={r.api} names={preview.names} />}
                  <span className={css.origin}>{from(`/rights/${escaped(r.api)}`)}</span>
                </div>
                {r.endpoints ? (
                  <ul className={css.endpoints}>
                    {r.endpoints.map((e) => (
                      <li key={`${e.methods?.join()} ${e.path}`}>
                        <code>
                          {e.methods?.join(', ') ?? t('keys.everyMethod')} {e.path}
                        </code>
                      </li>
                    ))}
                  </ul>
                ) : (
                  <span className="muted small">{t('keys.everyEndpoint')}</span>
                )}
              </li>
            ))}
          </ul>
        )}
      </div>
      <Facts
        facts={[
          [
            t('keys.expires'),
            <span key="expires" className={css.right}>
              <span>{preview.expiresAt ? format.dateTime(preview.expiresAt) : never ? t('keys.never') : '–'}</span>
              <span className={css.origin}>{from('/expiresAt')}</span>
            </span>,
          ],
          ...Object.entries(preview.metadata).map(([name, value]): [string, React.ReactNode] => [
            name,
            <span key={name} className={css.right}>
              <code>{value}</code>
              <span className={css.origin}>{from(`/metadata/${escaped(name)}`)}</span>
            </span>,
          ]),
        ]}
      />
    </Stack>
  )
}
