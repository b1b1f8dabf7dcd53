// The stream of events. It is read with fetch and not with EventSource, which cannot send an access token.

const retryAfter = 1500; // ms

// events calls take with each event and status with what the connection does, for ever.
export async function events(url, token, take, status) {
  for (;;) {
    try {
      const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
      const response = await fetch(url, { headers, cache: 'no-store' });
      if (!response.ok) throw new Error(await refusal(response));
      status(true, '');
      await read(response.body, take);
      status(false, 'The node ended the connection');
    } catch (error) {
      status(false, error instanceof TypeError ? 'The node cannot be reached' : error.message);
    }
    await new Promise((done) => setTimeout(done, retryAfter));
  }
}

async function refusal(response) {
  if (response.status === 401 || response.status === 403) return 'The node asks for an access token: see “One counter”';
  return `The node answered ${response.status}`;
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
