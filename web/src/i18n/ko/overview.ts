import type { overview as en } from '../en/overview'
import type { Translation } from '../types'

export const overview: Translation<typeof en> = {
  gateways: '최신 상태인 게이트웨이',
  title: '개요',
}
