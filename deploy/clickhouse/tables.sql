-- What ClickHouse keeps of the event stream, and what it makes of it as events come.
--
-- Kafka may deliver an event again after a fault. So nothing is summed on the way in: each table has a row for an
-- event, keyed by its position, and rows of one key become one; views sum them by FINAL. Amounts are in minor units.

CREATE TABLE IF NOT EXISTS events
(
    position UInt64,
    stream String,
    version UInt64,
    type LowCardinality(String),
    recorded_at DateTime64(6, 'UTC'),
    valid_at DateTime64(6, 'UTC'),
    data String CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree
ORDER BY position;

-- Daily sales --

CREATE TABLE IF NOT EXISTS sales
(
    day Date,
    currency LowCardinality(String),
    position UInt64,
    orders Int64,
    units Int64,
    total Int64,
    refunded Int64,
    canceled Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (day, currency, position);

CREATE MATERIALIZED VIEW IF NOT EXISTS sales_of_events TO sales AS
SELECT toDate(valid_at) AS day,
       multiIf(type = 'orders.order_refunded', JSONExtractString(data, 'amount', 'currency'),
               JSONExtractString(data, 'currency')) AS currency,
       position,
       type = 'orders.order_placed' AS orders,
       if(type = 'orders.order_placed',
          arraySum(line -> JSONExtractInt(line, 'quantity'), JSONExtractArrayRaw(data, 'lines')), 0) AS units,
       if(type = 'orders.order_placed', JSONExtractInt(data, 'total', 'amount'), 0) AS total,
       if(type = 'orders.order_refunded', JSONExtractInt(data, 'amount', 'amount'), 0) AS refunded,
       if(type = 'orders.order_canceled',
          JSONExtractInt(data, 'total', 'amount') - JSONExtractInt(data, 'credited', 'amount'), 0) AS canceled
  FROM events
 WHERE type IN ('orders.order_placed', 'orders.order_refunded', 'orders.order_canceled');

-- By the day (UTC) on which it happened: a refund counts on its own day, not on that of its order.
CREATE VIEW IF NOT EXISTS daily_sales AS
SELECT day, currency, sum(orders) AS orders, sum(units) AS units, sum(total) AS total, sum(refunded) AS refunded,
       sum(canceled) AS canceled
  FROM sales FINAL
 GROUP BY day, currency
 ORDER BY day, currency;

-- From visit to order --

CREATE TABLE IF NOT EXISTS funnel_steps
(
    day Date,
    step Enum8('visit' = 1, 'cart' = 2, 'checked_out' = 3, 'order' = 4, 'confirmed' = 5),
    position UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (day, step, position);

CREATE MATERIALIZED VIEW IF NOT EXISTS funnel_steps_of_events TO funnel_steps AS
SELECT toDate(valid_at) AS day,
       transform(type,
                 ['visits.product_viewed', 'cart.cart_opened', 'cart.cart_checked_out', 'orders.order_placed',
                  'orders.order_confirmed'],
                 ['visit', 'cart', 'checked_out', 'order', 'confirmed'], '') AS step,
       position
  FROM events
 WHERE type IN ('cart.cart_opened', 'cart.cart_checked_out', 'orders.order_placed', 'orders.order_confirmed')
    OR (type = 'visits.product_viewed' AND JSONExtractInt(data, 'number') = 1);

-- Each step by the day (UTC) on which it was taken.
CREATE VIEW IF NOT EXISTS funnel AS
SELECT day, countIf(step = 'visit') AS visits, countIf(step = 'cart') AS carts,
       countIf(step = 'checked_out') AS carts_checked_out, countIf(step = 'order') AS orders,
       countIf(step = 'confirmed') AS orders_confirmed
  FROM funnel_steps FINAL
 GROUP BY day
 ORDER BY day;

-- Stock --

CREATE TABLE IF NOT EXISTS stock_movements
(
    sku String,
    location LowCardinality(String),
    position UInt64,
    valid_at DateTime64(6, 'UTC'),
    kind LowCardinality(String),
    on_hand Int64,
    reserved Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (sku, location, position);

CREATE MATERIALIZED VIEW IF NOT EXISTS stock_movements_of_events TO stock_movements AS
WITH JSONExtractInt(data, 'quantity') AS quantity
SELECT JSONExtractString(data, 'sku') AS sku,
       JSONExtractString(data, 'location') AS location,
       position,
       valid_at,
       transform(type,
                 ['inventory.stock_received', 'inventory.stock_adjusted', 'inventory.stock_reserved',
                  'inventory.reservation_released', 'inventory.stock_dispatched', 'inventory.stock_restocked'],
                 ['received', 'adjusted', 'reserved', 'released', 'dispatched', 'restocked'], '') AS kind,
       multiIf(type = 'inventory.stock_adjusted', JSONExtractInt(data, 'delta'),
               type IN ('inventory.stock_received', 'inventory.stock_restocked'), quantity,
               type = 'inventory.stock_dispatched', -quantity, 0) AS on_hand,
       multiIf(type = 'inventory.stock_reserved', quantity,
               type = 'inventory.reservation_released', -quantity,
               type = 'inventory.stock_dispatched', -JSONExtractInt(data, 'from_reservation'), 0) AS reserved
  FROM events
 WHERE type IN ('inventory.stock_received', 'inventory.stock_adjusted', 'inventory.stock_reserved',
                'inventory.reservation_released', 'inventory.stock_dispatched', 'inventory.stock_restocked');

CREATE VIEW IF NOT EXISTS stock AS
SELECT sku, location, sum(on_hand) AS on_hand, sum(reserved) AS reserved
  FROM stock_movements FINAL
 GROUP BY sku, location
 ORDER BY sku, location;
