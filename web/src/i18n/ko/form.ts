import type { form as en } from '../en/form'
import type { Translation } from '../types'

export const form: Translation<typeof en> = {
  addItem: '{name} 추가',
  addRow: '행 추가',
  atLeast: '{min} 이상의 수를 입력하십시오.',
  atMost: '{max} 이하의 수를 입력하십시오.',
  between: '{min}에서 {max} 사이의 수를 입력하십시오.',
  byDefault: '{value}(기본값)',
  default: '기본값: {value}.',
  duration: '250ms, 30s, 1h처럼 숫자와 단위를 입력하십시오.',
  item: '{name} {n}',
  json: '아직 올바른 JSON이 아니므로 반영하지 않습니다.',
  kept: '그대로 보존됨',
  keptHelp: '이 양식이 모르는 필드입니다. 저장해도 보존되며 JSON 탭에서 바꿀 수 있습니다.',
  long: '{max}자 이하로 입력하십시오.',
  name: '이름',
  notSet: '설정 안 함',
  removeItem: '{name} {n} 삭제',
  removeRow: '{name} 행 삭제',
  rowName: '{name}, 이름 {n}',
  rowValue: '{name}, 값 {n}',
  size: '64KiB, 1MiB처럼 정수와 단위를 입력하십시오.',
  value: '값',
}
