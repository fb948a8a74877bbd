import type { gateways as en } from '../en/gateways'
import type { Translation } from '../types'

export const gateways: Translation<typeof en> = {
  title: '게이트웨이',
}
