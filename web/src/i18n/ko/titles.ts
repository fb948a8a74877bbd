import type { titles as en } from '../en/titles'
import type { Translation } from '../types'

export const titles: Translation<typeof en> = {
  api: 'API',
  key: '키',
  keys: '키',
  newApi: '새 API',
  newKey: '새 키',
  noApi: 'API 없음',
  request: '요청',
  requests: '요청',
  revision: '리비전',
  revisions: '변경 이력',
}
