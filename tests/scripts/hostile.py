"""A dashboard in bad faith: what the owner of a cluster may add to their scheduler, as they run whatever they like there."""


def poison(page, dask_scheduler=None):
    """Serves, below `/hostile/`: the page, scripts, redirects to anywhere, and headers that concern the whole origin."""
    from tornado.web import RequestHandler

    class Hostile(RequestHandler):
        def get(self, what):
            self.set_header("Set-Cookie", "stolen=1; Path=/")
            self.set_header("Service-Worker-Allowed", "/")
            self.set_header("Access-Control-Allow-Origin", "*")
            self.set_header("Cross-Origin-Opener-Policy", "unsafe-none")
            self.set_header("Content-Security-Policy", "default-src * 'unsafe-inline' 'unsafe-eval' data: blob:")
            if what == "page":
                self.set_header("Content-Type", "text/html")
                self.write(page)
            elif what == "worker.js":
                self.set_header("Content-Type", "text/javascript")
                self.write(
                    "onmessage = async e => { try { const a = await fetch(e.data, {credentials: 'include'});"
                    " postMessage(a.ok ? await a.text() : null) } catch { postMessage(null) } };"
                    "onfetch = () => {}"
                )
            elif what == "redirect":
                self.set_status(302)
                self.set_header("Location", self.get_argument("to"))
            elif what == "forget":
                self.set_header("Clear-Site-Data", '"*"')
                self.write("forgotten?")
            elif what == "echo":
                self.write("echo")
            elif what == "text.txt":
                self.set_header("Content-Type", "text/plain")
                self.write("text")
            elif what == "picture.svg":
                self.set_header("Content-Type", "image/svg+xml")
                self.write('<svg xmlns="http://www.w3.org/2000/svg"/>')
            else:
                self.set_status(int(what))
                self.write("an error of its own")

    dask_scheduler.http_application.add_handlers(".*$", [(r"/hostile/(.*)", Hostile)])


# Each attack gives back what it got hold of, or null. `api` and `other` are paths that its visitor may read and it may not.
PAGE = """<!doctype html><title>hostile</title><body><script>
const base = location.pathname.replace(/hostile.*/, ''), origin = location.protocol + '//' + location.host;
const wait = (ms) => new Promise(done => setTimeout(done, ms));
const within = (promise) => Promise.race([promise, wait(15000).then(() => null)]);
const text = async (answer) => answer.ok ? await answer.text() || 'an empty answer' : null;
const read = async (url, options) => text(await fetch(url, {credentials: 'include', ...options}));
const inside = async (window, url) => {
  for (let i = 0; window && i < 20; i++) {
    await wait(50);
    try {
      const text = window.document.body && window.document.body.innerText;
      if (window.location.href !== 'about:blank' && text && !text.includes('"error"')) return text;
      if (window.closed) return null;
    } catch { }
  }
  return null;
};
// Is an answer of ours a document that a page can get into? What is fetched from there is not bound by what the page is told.
const through = (url, loot) => new Promise(done => {
  const f = document.createElement('iframe');
  f.onload = async () => {
    try {
      const w = f.contentWindow;
      if (w.location.href === 'about:blank') return done(null);
      const got = await text(await w.fetch(loot, {credentials: 'include'}));
      done(got && !got.includes('"error"') ? got : null);
    } catch { done(null); }
  };
  f.src = url; document.body.append(f); setTimeout(() => done(null), 3000);
});
const frame = (url) => { const f = document.createElement('iframe'); f.src = url; document.body.append(f); return f; };
const socket = (url) => new Promise(done => {
  const s = new WebSocket(url.replace(/^http/, 'ws'), ['bokeh', 'x']);
  s.onopen = () => done('open'); s.onerror = () => done(null);
});
const work = (worker, url) => new Promise(done => {
  worker.onmessage = e => done(e.data); worker.onerror = () => done(null);
  (worker.port || worker).postMessage(origin + url);
});
const form = (method, url, type) => {
  const f = document.createElement('form');
  Object.assign(f, {method, action: url, enctype: type, target: 'sink'});
  f.innerHTML = '<input name="cluster_options" value="{}">';
  document.body.append(f); f.submit();
};
async function attack(api, other, victim) {
  document.body.insertAdjacentHTML('beforeend', '<iframe name=sink></iframe>');
  const all = {
    'fetch the API': () => read(api),
    'fetch another dashboard': () => read(other),
    'fetch without referrer': () => read(api, {referrerPolicy: 'no-referrer', cache: 'no-store'}),
    'XHR': () => new Promise(done => {
      const x = new XMLHttpRequest(); x.open('GET', api); x.withCredentials = true;
      x.onload = () => done(x.status === 200 ? x.responseText : null); x.onerror = () => done(null); x.send();
    }),
    'create': () => read('/api/v1/clusters/', {method: 'POST', body: '{}'}),
    'create blindly': async () => (await fetch('/api/v1/clusters/',
      {method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}'}), null),
    'create by a beacon': async () => (navigator.sendBeacon('/api/v1/clusters/', '{}'), null),
    'create by a form': async () => (form('POST', '/api/v1/clusters/', 'text/plain'), null),
    'delete': () => read('/api/v1/clusters/' + victim, {method: 'DELETE'}),
    'scale': () => read('/api/v1/clusters/' + victim + '/scale', {method: 'POST', body: '{"count": 3}'}),
    'redirect up': () => read(base + 'hostile/redirect?to=' + encodeURIComponent('../../../..' + api)),
    'redirect far up': () => read(base + 'hostile/redirect?to=' + encodeURIComponent('/..' + '/..' + '/..' + api)),
    'redirect to the host': () => read(base + 'hostile/redirect?to=' + encodeURIComponent(origin + api)),
    'redirect without scheme': () => read(base + 'hostile/redirect?to=' + encodeURIComponent('//' + location.host + api)),
    'redirect to another dashboard': () => read(base + 'hostile/redirect?to=' + encodeURIComponent(other)).then(
      text => text && text.includes('Bokeh') ? text : null),
    'path in disguise': () => read(base + 'x/..%2f..%2f..%2f..' + api),
    'frame the API': async () => inside(frame(api).contentWindow),
    'frame another dashboard': async () => inside(frame(other).contentWindow),
    'frame with code': async () => {
      const f = frame('about:blank'); await wait(50);
      return text(await f.contentWindow.fetch(origin + api, {credentials: 'include'}));
    },
    'frame with a source': () => new Promise(done => {
      onmessage = e => e.data.loot !== undefined && done(e.data.loot);
      const f = document.createElement('iframe');
      f.srcdoc = `<script>fetch('${origin + api}', {credentials: 'include'}).then(a => a.ok ? a.text() : null)
        .then(loot => parent.postMessage({loot}, '*'), () => parent.postMessage({loot: null}, '*'))<\\/script>`;
      document.body.append(f);
    }),
    'frame by redirect': async () => inside(frame(base + 'hostile/redirect?to=' + encodeURIComponent('../../..' + api)).contentWindow),
    'object': async () => { const o = document.createElement('object'); o.data = api; document.body.append(o);
      await wait(200); return inside(o.contentWindow); },
    'open the API': async () => inside(open(api)),
    'open another dashboard': async () => inside(open(other)),
    'open by name': async () => { open(other, 'victim'); await wait(500); return inside(open('', 'victim')); },
    'open nothing': async () => { const w = open('about:blank');
      return w ? text(await w.fetch(origin + api, {credentials: 'include'})) : null; },
    'connect to another dashboard': () => socket(origin + other + '/ws'),
    'events': () => new Promise(done => { const e = new EventSource(api); e.onopen = () => done('open'); e.onerror = () => done(null); }),
    'script': () => new Promise(done => { const s = document.createElement('script'); s.src = api;
      s.onload = () => done('loaded'); s.onerror = () => done(null); document.body.append(s); }),
    'worker': () => work(new Worker(base + 'hostile/worker.js'), api),
    'shared worker': () => { const w = new SharedWorker(base + 'hostile/worker.js'); w.port.start(); return work(w, api); },
    'worker of a blob': () => work(new Worker(URL.createObjectURL(new Blob(
      ["onmessage = async e => { const a = await fetch(e.data, {credentials: 'include'});" +
       " postMessage(a.ok ? await a.text() : null) }"]))), api),
    'service worker over all': async () => (await navigator.serviceWorker.register(base + 'hostile/worker.js', {scope: '/'})).scope,
    'service worker': async () => (await navigator.serviceWorker.register(base + 'hostile/worker.js')).scope,
    ...Object.fromEntries([
      ['no such page', base + 'no-such-page'], ['no such path', base + 'api/x'], ['an error of its own', base + 'hostile/500'],
      ['a text', base + 'hostile/text.txt'], ['a picture', base + 'hostile/picture.svg'], ['an empty answer', base + 'hostile/204'],
      ['a WebSocket refused', base + 'status/ws'], ['a static file', base + 'static/css/root.css'],
      ['a redirect', base + 'hostile/redirect?to=' + encodeURIComponent('/no-such-page')],
      ['no such cluster', '/clusters/00000000000000000000000000000000/status'], ['no such path of ours', '/nothing'],
      ['another dashboard', other], ['the API', api], ['health', '/api/health'], ['a path that is refused', base + '%2e%2e/api/x'],
    ].flatMap(([what, url]) => [
      ['the API through a frame of ' + what, () => through(url, api)],
      ['another dashboard through a frame of ' + what, () => through(url, other)],
    ])),
    'through a head that is too long': async () => {
      for (let i = 0; i < 170; i++) document.cookie = `long${i}=${'x'.repeat(3900)}; path=${base}hostile/echo`;
      return await through(base + 'hostile/echo', api) || await through(base + 'hostile/echo', other);
    },
    'cookies': async () => document.cookie.includes('faregate') || document.cookie.includes('stolen') ? document.cookie : null,
    'make it forget': async () => (await fetch(base + 'hostile/forget', {credentials: 'include'}), null),
  };
  const got = {};
  for (const [name, one] of Object.entries(all)) {
    try { got[name] = await within(Promise.resolve(one())); } catch { got[name] = null; }
  }
  return got;
}
</script>"""
