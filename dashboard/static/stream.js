// The stream of events. It is read with fetch and not with EventSource, which cannot send an access token.

const retryAfter = 1500; // ms
const refusedAfter = 30000; // ms: without another token the answer will hardly change
const silence = 5000; // ms without an event, of which there is one a second: a connection may die without an end

// events calls take with each event, and status with what is wrong and whether a token would mend it, for ever. wake calls back
// when there is another token.
export async function events(url, token, wake, take, status) {
  let another = () => {};
  wake(() => another());
  for (;;) {
    const changed = new Promise((done) => (another = () => done('changed')));
    const connection = new AbortController();
    const listening = listen(url, token(), connection, take).then(() => new Error('The node ended the connection'), (error) => error);
    const end = await Promise.race([listening, changed]);
    connection.abort();
    if (end === 'changed') continue;
    status(end instanceof TypeError ? 'The node cannot be reached' : end.message, Boolean(end.refused));
    await Promise.race([new Promise((done) => setTimeout(done, end.refused ? refusedAfter : retryAfter)), changed]);
  }
}

// listen reads one connection to its end.
async function listen(url, token, connection, take) {
  let timer;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => connection.abort(new Error(`The node has been silent for ${silence / 1000} s`)), silence);
  };
  try {
    alive();
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const response = await fetch(url, { headers, cache: 'no-store', signal: connection.signal });
    if (!response.ok) throw await refusal(response, token);
    await read(response.body, (event) => {
      alive();
      if (!connection.signal.aborted) take(event);
    });
  } finally {
    clearTimeout(timer);
  }
}

async function refusal(response, token) {
  const refused = (why) => Object.assign(new Error(why), { refused: true });
  if (response.status === 401) {
    return refused(token ? 'The node does not accept this token: it is mistyped, expired or was taken back' : 'The node asks for an access token');
  }
  if (response.status === 403) return refused(`The token is good, but not for this page: ${reasons(await response.text())}`);
  return new Error(`The node answered ${response.status}`);
}

// reasons returns what an answer of the API says against the request; empty: nothing.
export function reasons(text) {
  try {
    return Object.entries(JSON.parse(text).errors).map(([f, r]) => `${f === 'detail' ? '' : `${f} `}${r.join(', ')}`).join('; ');
  } catch {
    return '';
  }
}

// read cuts the bytes into events, which end with an empty line and hold one line of data.
async function read(body, take) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n\n');
    rest = parts.pop();
    for (const part of parts) {
      if (part.startsWith('data: ')) take(JSON.parse(part.slice(6)));
    }
  }
}
