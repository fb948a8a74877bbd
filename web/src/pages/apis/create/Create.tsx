import { useEffect, useState } from 'react'
import { useRead } from '../../../api/query'
import type { Problem } from '../../../api/schema'
import { useI18n } from '../../../i18n'
import { PageHeader } from '../../../ui/Page'
import { ErrorState, Skeleton } from '../../../ui/States'
import { text, useUrl, whole } from '../../../url'
import { NewForm } from './NewForm'
import { Result } from './Result'

/** Creates an API on one page: the form, and in its place what came of it. */
export default function CreateApi() {
  const [url, setUrl] = useUrl({ created: text, revision: whole(1) })
  const [problems, setProblems] = useState<Problem[]>([])
  if (!url.created) {
    return (
      <NewForm
        onCreated={(id, revision, found) => {
          setProblems(found)
          setUrl({ created: id, revision })
        }}
      />
    )
  }
  return (
    <Created
      key={url.created}
      id={url.created}
      revision={url.revision}
      problems={problems}
      onAnother={() => setUrl({ created: '', revision: undefined })}
    />
  )
}

/** Reads what was created: the address alone shows the same after a refresh, but for the secret of a key. */
function Created({
  id,
  revision,
  problems,
  onAnother,
}: {
  id: string
  revision: number | undefined
  problems: Problem[]
  onAnother: () => void
}) {
  const { t } = useI18n()
  const { data, error, refetch } = useRead('GET /apis/{id}', { path: { id } })
  useEffect(() => {
    window.scrollTo(0, 0)
  }, [])
  if (data) return <Result api={data} revision={revision ?? data.meta.revision} problems={problems} onAnother={onAnother} />
  return (
    <>
      <PageHeader title={t('titles.newApi')} />
      {error ? <ErrorState error={error} onRetry={() => void refetch()} /> : <Skeleton height={160} />}
    </>
  )
}
