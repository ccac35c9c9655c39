/** A stage of user-interactive authentication: how it is checked, and what its page asks for. */
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { Context } from '../context.ts';
import type { UiaSession } from './uia-session.ts';

/** What a client sends as `auth`, or a browser as the fields of the page. */
export interface AuthDict {
  readonly type?: string | undefined;
  readonly session?: string | undefined;
  readonly [field: string]: unknown;
}

export interface StageQuestion {
  readonly context: Context;
  readonly request: ApiRequest;
  readonly session: Pick<UiaSession, 'name' | 'userId' | 'operation' | 'parameters'>;
  readonly auth: AuthDict;
}

export interface StageField {
  readonly name: string;
  readonly label: string;
  /** `checkbox`: has to be ticked. */
  readonly kind: 'text' | 'password' | 'checkbox';
  /** Of a checkbox: a document that it is about, http or https. */
  readonly link?: string;
}

/** The stage as somebody sees it whose client does not know it. */
export interface StageForm {
  readonly title: string;
  /** One or two sentences. */
  readonly text: string;
  readonly fields: readonly StageField[];
  readonly button: string;
}

export interface Stage {
  /** undefined when passed, else one sentence for the user. May throw a `MatrixError` for what no second attempt mends. */
  check(question: StageQuestion): Promise<string | undefined> | string | undefined;
  /** What clients have to know for it. */
  readonly params?: Readonly<Record<string, unknown>>;
  form(session: Pick<UiaSession, 'userId'>): StageForm;
}
