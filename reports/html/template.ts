/** Text in which `backticks` mark code. */
const prose = (of: string): string =>
  `<% for (const part of it.prose(${of})) { %><% if (part.isCode) { %><code><%= part.text %></code><% } else { %><%= part.text %><% } %><% } %>`;

/**
 * The page. Every value goes through eta's escaping (`<%= %>`); nothing here uses the raw tag
 * but the style sheet, which is ours.
 */
export const TEMPLATE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title><%= it.headline %> · <%= it.r.iut.name %> · iommufd conformance</title>
<style><%~ it.style %></style>
</head>
<body>
<header>
<h1>iommufd conformance report: <%= it.r.iut.name %> <%= it.r.iut.version %></h1>
<div class="banner <%= it.r.verdict %>">
<strong><%= it.headline %></strong>
<% if (it.why !== "") { %><p><%= it.why %></p><% } %>
<p class="soft">Profile <%= it.r.profile %>, campaign <%= it.r.campaign %>, seed <%= it.r.seed %>, exit code <%= it.r.exitCode %></p>
</div>
<nav aria-label="Sections">
<% if (it.r.failures.length > 0) { %><a href="#failures">Failures</a><% } %>
<a href="#clauses">Clauses</a>
<a href="#invariants">Invariants</a>
<a href="#calls">Calls</a>
<a href="#health">Health</a>
<a href="#reproduce">Reproduce</a>
</nav>
</header>
<main>
<dl class="facts">
<% for (const fact of it.facts) { %><div><dt><%= fact.label %></dt><dd class="<%= fact.big ? "big" : "" %>"><%= fact.text %></dd></div>
<% } %></dl>

<% if (it.r.failures.length > 0) { %><section>
<h2 id="failures">Failures</h2>
<% for (const { failure, replay } of it.failures) { %><article class="failure">
<h3><a href="#clause-<%= failure.clause %>"><%= failure.clause %></a> <span class="tag <%= failure.known ? "inconclusive" : "fail" %>"><%= failure.known ? "known" : "unexpected" %></span></h3>
<p>${prose("failure.statement")}</p>
<p class="soft">Kind: <%= failure.kind %>. Shown on <%= failure.platform %>. Seen in <%= failure.occurrences %> of <%= it.r.sequences %> sequences, first at <code><%= failure.seedPath %></code>.<% if (failure.clauses.length > 1) { %> Clauses named: <%= failure.clauses.join(", ") %>.<% } %></p>
<% for (const note of failure.notes ?? []) { %><p class="inconclusive"><%= note %></p>
<% } %><table class="steps">
<thead><tr><th class="num">#</th><th>Call</th><th>Expected</th><th>Actual</th></tr></thead>
<tbody>
<% for (const row of failure.steps) { %><tr<%~ row.deviates ? ' class="deviates"' : "" %>><td class="num" data-label="Step"><%= row.deviates ? "▶ " : "" %><%= row.step %></td><td><code><%= row.call %></code></td><td data-label="Expected"<%~ row.deviates ? "" : ' class="same"' %>><code><%= row.expected %></code></td><td data-label="Actual"><code><%= row.actual %></code></td></tr>
<% } %></tbody>
</table>
<p>Replay:</p>
<pre><%= replay %></pre>
</article>
<% } %></section><% } %>
<% if (it.r.staleExpectations.length > 0) { %><section>
<h2 id="stale">Expectations that no longer hold</h2>
<ul><% for (const stale of it.r.staleExpectations) { %><li><%= stale %></li><% } %></ul>
</section><% } %>

<section>
<h2 id="clauses">Clauses</h2>
<p class="soft">Exercised by success: a call kept the clause. By violation: a call broke it, and the errno shows that it was this clause. A dash: it cannot be exercised from that side. Basis, where the clause comes from: documented (the uAPI header and the kernel's documentation), seed (the papers this project began with) and selftest (the kernel's own tests) bind every implementation; implementation binds in profile linux-6.12 only; unspecified is open.</p>
<nav aria-label="Clause families"><% for (const group of it.families) { %><a href="#family-<%= group.family %>"><%= group.family %></a>
<% } %></nav>
<% for (const group of it.families) { %><h3 id="family-<%= group.family %>"><%= group.family %><% if (group.title !== "") { %> <span class="soft"><%= group.title %></span><% } %></h3>
<table class="clauses">
<thead><tr><th class="c-id">Id</th><th>Statement</th><th class="c-basis">Basis</th><th class="c-verdict">Verdict</th><th class="c-count num">Success</th><th class="c-count num">Violation</th></tr></thead>
<tbody>
<% for (const c of group.clauses) { %><tr id="clause-<%= c.id %>"><td class="id inline"><%= c.id %></td><td>${prose("c.statement")}<% if (c.errno) { %> <code><%= c.errno %></code><% } %><% if (c.reason !== "") { %><br><span class="<%= c.verdict %>"><%= c.reason %></span><% } %><br><span class="soft"><%= c.source.join("; ") %></span></td><td data-label="Basis"><%= c.basis.join(", ") %></td><td class="verdict inline <%= c.verdict %>"><%= c.verdict %></td><td class="num inline" data-label="Success"><%= it.side(c, "success") %></td><td class="num inline" data-label="Violation"><%= it.side(c, "violation") %></td></tr>
<% } %></tbody>
</table>
<% } %></section>

<section>
<h2 id="invariants">Invariants</h2>
<table class="clauses">
<thead><tr><th class="c-id">Id</th><th>Statement</th><th class="c-verdict">Verdict</th><th class="c-count num">Checked</th></tr></thead>
<tbody>
<% for (const c of it.r.invariants) { %><tr id="clause-<%= c.id %>"><td class="id inline"><%= c.id %></td><td>${prose("c.statement")}<% if (c.reason !== "") { %><br><span class="<%= c.verdict %>"><%= c.reason %></span><% } %></td><td class="verdict inline <%= c.verdict %>"><%= c.verdict %></td><td class="num inline" data-label="Checked"><%= it.count(c.checked) %></td></tr>
<% } %></tbody>
</table>
</section>

<section>
<h2 id="calls">Calls</h2>
<table>
<thead><tr><th>Call</th><th class="num">Count</th><th>Outcomes</th></tr></thead>
<tbody>
<% for (const c of it.calls) { %><tr><td class="id"><%= c.call %></td><td class="num" data-label="Count"><%= c.count %></td><td><% for (const out of c.outcomes) { %><span class="out"><code><%= out.name %></code> <span class="soft"><%= out.share %></span></span> <% } %></td></tr>
<% } %></tbody>
</table>
</section>

<section>
<h2 id="health">Health of the run</h2>
<p><%= it.r.health.meaningfulPercent %>% of the calls meant something in the state they met; <%= it.r.health.violatingPercent %>% broke a rule.</p>
<table>
<thead><tr><th>Quota</th><th class="num">Required</th><th class="num">Actual</th><th>Met</th></tr></thead>
<tbody>
<% for (const q of it.r.health.quotas) { %><tr><td><%= q.name %></td><td class="num inline" data-label="Required"><%= q.required %></td><td class="num inline" data-label="Actual"><%= q.actual %></td><td class="verdict inline <%= q.met ? "pass" : "fail" %>"><%= q.met ? "met" : "missed" %></td></tr>
<% } %></tbody>
</table>
</section>

<section>
<h2 id="reproduce">Reproduce</h2>
<p>The same seed, version and implementation give the same calls and the same answers:</p>
<pre><%= it.run %></pre>
<p class="soft">iommufd-conformance <%= it.r.version %>. Declared capabilities: <%= it.r.iut.capabilities.join(", ") || "none" %>.<br>sha-256 over all histories: <code><%= it.r.historyHash %></code></p>
</section>
</main>
</body>
</html>
`;
