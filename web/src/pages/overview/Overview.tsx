import { useRead } from '../../api/query'
import { useI18n } from '../../i18n'
import { Card, Columns, PageHeader, Stack } from '../../ui/Page'
import { ErrorState, Skeleton } from '../../ui/States'
import { Stat, StatusPill } from '../../ui/Status'

/** The health of the platform in one look. */
export default function Overview() {
  const { t, format } = useI18n()
  const { data, error, refetch } = useRead('GET /gateways', undefined, { live: true })
  const gateways = data?.items.filter((n) => n.service === 'gateway')
  return (
    <>
      <PageHeader title={t('overview.title')} />
      <Stack>
        {error && !gateways ? (
          <ErrorState error={error} onRetry={() => void refetch()} />
        ) : (
          <Columns least={280}>
            <Card>
              <dl>
                <Stat
                  label={t('overview.gateways')}
                  value={
                    gateways ? (
                      `${gateways.filter((n) => n.state === 'current').length} / ${gateways.length}`
                    ) : (
                      <Skeleton width={64} height={24} />
                    )
                  }
                />
              </dl>
            </Card>
            {gateways?.map((n) => (
              <Card key={n.id}>
                <dl>
                  <Stat label={n.name} value={<StatusPill state={n.state} />} note={format.ago(n.startedAt)} />
                </dl>
              </Card>
            ))}
          </Columns>
        )}
      </Stack>
    </>
  )
}
