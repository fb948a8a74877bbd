import type { login as en } from '../en/login'
import type { Translation } from '../types'

export const login: Translation<typeof en> = {
  again: '새 비밀번호 확인',
  againWrong: '두 비밀번호가 다릅니다.',
  change: '비밀번호 설정',
  changeHelp: '일회용 비밀번호로 로그인했습니다. 본인만 아는 비밀번호를 정하십시오.',
  changeTitle: '새 비밀번호 설정',
  changed: '비밀번호가 설정되었습니다.',
  expired: '세션이 끝났습니다. 다시 로그인하십시오.',
  forgot: '잊으셨다면 관리자가 새 일회용 비밀번호를 발급할 수 있습니다.',
  locked: '로그인 실패가 너무 많습니다. {time} 후에 다시 시도할 수 있습니다.',
  lockedOver: '이제 다시 시도할 수 있습니다.',
  login: '로그인 ID',
  missingLogin: '로그인 ID를 입력하십시오.',
  missingPassword: '비밀번호를 입력하십시오.',
  newPassword: '새 비밀번호',
  oldPassword: '일회용 비밀번호',
  passwordHelp: '12자 이상. 단어 몇 개를 이으면 기억하기 쉽습니다.',
  password: '비밀번호',
  short: '{min}자 이상 입력하십시오.',
  signIn: '로그인',
  title: '로그인',
  unreachable: '콘솔 서버가 응답하지 않습니다. 게이트웨이는 계속 동작합니다. 잠시 후 다시 시도하십시오.',
}
