// @stoqey/ib on a tour of a gateway: NODE_PATH=<its node_modules> node stoqey_worker.cjs PORT CLIENT_ID
//
// Prints one JSON object: version, and events, every callback as [name, plain fields]; exits with 1 and says what it
// was waiting for when that does not come.
const { IBApi, EventName } = require("@stoqey/ib");

const PATIENCE_MS = 30000;
const TICK_BY_TICK = 137, SMART_DEPTH = 146, HEAD_TIME_STAMP = 126, PNL = 127, HISTORICAL_TICKS = 129;
const COMPLETED_ORDERS = 184; // they are there from 150 on, but it reads fields of 184 in every one
const ib = new IBApi({ host: "127.0.0.1", port: Number(process.argv[2]), maxReqPerSec: 1000 });
const events = [];
const waiting = [];
const aapl = { symbol: "AAPL", secType: "STK", exchange: "SMART", currency: "USD" };
const keep = {
  nextValidId: (id) => [id],
  managedAccounts: (list) => [list],
  contractDetails: (id, d) => [id, d.contract.conId, d.longName, d.minTick],
  contractDetailsEnd: (id) => [id],
  tickPrice: (id, tick, price) => [id, tick, price],
  tickSize: (id, tick, size) => [id, tick, Number(size)],
  updateMktDepth: (id, row, operation, side, price) => [id, row, operation, side, price],
  updateMktDepthL2: (id, row, maker, operation, side, price) => [id, row, operation, side, price],
  tickByTickBidAsk: (id, time, bid, ask) => [id, bid, ask],
  tickByTickAllLast: (id, kind, time, price) => [id, price],
  realtimeBar: (id, time, open, high, low, close) => [id, open, high, low, close],
  openOrder: (id, contract, order, state) =>
    [id, contract.conId, order.orderType, order.totalQuantity, order.permId, state.status, order.lmtPrice],
  openOrderEnd: () => [],
  orderStatus: (id, status, filled, remaining) => [id, status, filled, remaining],
  execDetails: (id, contract, e) => [id, contract.symbol, e.execId, e.side, e.shares, e.price],
  execDetailsEnd: (id) => [id],
  commissionReport: (r) => [r.execId, r.commission, r.currency],
  completedOrder: (contract, order, state) => [contract.symbol, order.filledQuantity, state.status],
  completedOrdersEnd: () => [],
  updateAccountValue: (key, value, currency, account) => [key, value, currency, account],
  accountDownloadEnd: (account) => [account],
  position: (account, contract, size) => [account, contract.symbol, size],
  positionEnd: () => [],
  accountSummary: (id, account, tag, value, currency) => [id, account, tag, value, currency],
  accountSummaryEnd: (id) => [id],
  pnl: (id, daily) => [id, daily],
  historicalData: (id, time, open, high, low, close) => [id, time, open, high, low, close],
  headTimestamp: (id, time) => [id, time],
  historicalTicksLast: (id, ticks, done) => [id, ticks.length, done],
  currentTime: (time) => [time],
  error: (error, code, id) => [id, code, error.message],
  disconnected: () => [],
};

function arrived(name, fields) {
  events.push([name, fields]);
  for (const one of waiting.splice(0)) {
    if (one.name === name && one.fits(fields)) one.resolve(fields);
    else waiting.push(one);
  }
}

for (const [name, fields] of Object.entries(keep)) {
  ib.on(EventName[name] ?? name, (...args) => arrived(name, fields(...args)));
}

function until(name, fits = () => true) {
  return new Promise((resolve) => {
    waiting.push({ name, fits, resolve });
    setTimeout(() => {
      if (!waiting.some((one) => one.resolve === resolve)) return;
      console.log(`${name} did not come; the last events were ${JSON.stringify(events.slice(-10))}`);
      process.exit(1);
    }, PATIENCE_MS).unref();
  });
}

const has = (version) => ib.serverVersion >= version;
const order = (orderType, more) => ({ action: "BUY", orderType, totalQuantity: 100, transmit: true, ...more });

async function ask(request, name, fits) {
  const answer = until(name, fits);
  request();
  return answer;
}

async function streams() {
  const smart = has(SMART_DEPTH);
  const where = { ...aapl, exchange: smart ? "SMART" : "NASDAQ" };
  await ask(() => ib.reqMktDepth(110, where, 3, smart), "updateMktDepthL2");
  ib.cancelMktDepth(110, smart);
  if (has(TICK_BY_TICK)) {
    await ask(() => ib.reqTickByTickData(111, aapl, "BidAsk", 0, false), "tickByTickBidAsk");
    ib.cancelTickByTickData(111);
    await ask(() => ib.reqTickByTickData(112, aapl, "AllLast", 0, false), "tickByTickAllLast");
    ib.cancelTickByTickData(112);
  }
  await ask(() => ib.reqRealTimeBars(113, aapl, 5, "TRADES", false), "realtimeBar");
  ib.cancelRealTimeBars(113);
}

async function orders(id) {
  const status = (orderId, wanted) => (fields) => fields[0] === orderId && fields[1] === wanted;
  const place = (orderId, what, wanted) =>
    ask(() => ib.placeOrder(orderId, aapl, what), "orderStatus", status(orderId, wanted));
  const gone = (orderId) => ask(() => ib.cancelOrder(orderId), "orderStatus", status(orderId, "Cancelled"));
  await place(id, order("MKT"), "Filled");
  const fills = new Set(events.filter(([name]) => name === "execDetails").map(([, fields]) => fields[2]));
  while (new Set(events.filter(([name]) => name === "commissionReport").map(([, f]) => f[0])).size < fills.size) {
    await until("commissionReport");
  }
  await place(id + 1, order("LMT", { lmtPrice: 100.5 }), "Submitted");
  await ask(() => ib.placeOrder(id + 1, aapl, order("LMT", { lmtPrice: 100.75 })), "openOrder", (f) => f[6] === 100.75);
  await ask(() => ib.reqOpenOrders(), "openOrderEnd");
  await gone(id + 1);
  await place(id + 2, order("STP", { auxPrice: 50.25, action: "SELL" }), "PreSubmitted");
  await gone(id + 2);
  ib.placeOrder(id + 3, aapl, order("LMT", { lmtPrice: 100.5, transmit: false }));
  const child = { action: "SELL", parentId: id + 3 };
  ib.placeOrder(id + 4, aapl, order("LMT", { lmtPrice: 300.5, transmit: false, ...child }));
  const released = until("orderStatus", status(id + 3, "Submitted")); // it may come before the child's
  await place(id + 5, order("STP", { auxPrice: 50.5, ...child }), "PreSubmitted");
  await released;
  const ended = [4, 5].map((n) => until("orderStatus", status(id + n, "Cancelled")));
  await gone(id + 3);
  await Promise.all(ended);
}

async function main() {
  const [id] = await ask(() => ib.connect(Number(process.argv[3])), "nextValidId");
  await ask(() => ib.reqContractDetails(101, aapl), "contractDetailsEnd");
  const ticks = [1, 2, 4].map((tick) => until("tickPrice", (fields) => fields[1] === tick));
  ib.reqMktData(102, aapl, "", false, false);
  await Promise.all(ticks);
  await streams();
  await ask(() => ib.reqAccountUpdates(true, ""), "accountDownloadEnd");
  await orders(id);
  await ask(() => ib.reqExecutions(103, {}), "execDetailsEnd");
  if (has(COMPLETED_ORDERS)) await ask(() => ib.reqCompletedOrders(true), "completedOrdersEnd");
  await ask(() => ib.reqPositions(), "positionEnd");
  await ask(() => ib.reqAccountSummary(104, "All", "NetLiquidation,TotalCashValue"), "accountSummaryEnd");
  if (has(PNL)) await ask(() => ib.reqPnL(109, "DU0000001", ""), "pnl");
  const bars = () => ib.reqHistoricalData(105, aapl, "", "1 D", "1 hour", "TRADES", 1, 1, false);
  await ask(bars, "historicalData", (fields) => String(fields[1]).startsWith("finished"));
  if (has(HEAD_TIME_STAMP)) await ask(() => ib.reqHeadTimestamp(106, aapl, "TRADES", true, 1), "headTimestamp");
  if (has(HISTORICAL_TICKS)) {
    const past = () => ib.reqHistoricalTicks(107, aapl, "20260302 14:30:00 UTC", "", 20, "TRADES", 1, true);
    await ask(past, "historicalTicksLast");
  }
  await ask(() => ib.reqCurrentTime(), "currentTime");
  const version = ib.serverVersion;
  await ask(() => ib.disconnect(), "disconnected");
  console.log(JSON.stringify({ version, events }));
  process.exit(0);
}

main();
