-- orders --
-- One row an order: what was sold, what came back, and how it stands. Amounts in minor units of the currency.
-- net: what stays of the total after refunds and cancellation; country: where it is taxed, null where no rule asked.
SELECT placed.order_id,
       placed.number,
       coalesce(placed.placed_at, placed.valid_at) AS placed_at,
       placed.channel,
       placed.currency,
       placed.customer_id,
       placed.cart_id,
       placed.context.destination.country AS country,
       len(placed.lines) AS lines,
       coalesce(list_sum(list_transform(placed.lines, lambda line: line.quantity)), 0)::BIGINT AS units,
       placed.total.amount AS total,
       coalesce(refunds.amount, 0)::BIGINT AS refunded,
       (CASE WHEN canceled.order_id IS NULL THEN placed.total.amount - coalesce(refunds.amount, 0) ELSE 0 END)::BIGINT AS net,
       CASE WHEN canceled.order_id IS NOT NULL THEN 'canceled'
            WHEN confirmed.order_id IS NOT NULL THEN 'confirmed'
            ELSE 'placed' END AS status,
       canceled.cause AS canceled_because,
       confirmed.valid_at AS confirmed_at,
       canceled.valid_at AS canceled_at,
       placed.position
  FROM orders_order_placed AS placed
  LEFT JOIN orders_order_confirmed AS confirmed ON confirmed.order_id = placed.order_id
  LEFT JOIN orders_order_canceled AS canceled ON canceled.order_id = placed.order_id
  LEFT JOIN (SELECT order_id, sum(amount.amount) AS amount FROM orders_order_refunded GROUP BY order_id) AS refunds
         ON refunds.order_id = placed.order_id

-- lines --
-- One row a line of an order. unit_price is in major units, the amounts are in minor ones; returned: units that came back.
WITH each AS (
    SELECT order_id, number, coalesce(placed_at, valid_at) AS placed_at, customer_id, position, unnest(lines) AS line
      FROM orders_order_placed
), returned AS (
    SELECT order_id, line.line_id AS line_id, sum(line.quantity) AS units
      FROM (SELECT order_id, unnest(lines) AS line FROM orders_lines_returned)
     GROUP BY ALL
)
SELECT each.order_id,
       each.number,
       each.placed_at,
       each.customer_id,
       line.line_id,
       line.sku,
       line.title,
       line.seller,
       line.quantity,
       line.unit_price.exact::DECIMAL(24, 8) AS unit_price,
       line.line_total.currency AS currency,
       line.line_total.amount AS line_total,
       line.discount.amount AS discount,
       line.tax.amount AS tax,
       line.paid.amount AS paid,
       line.list_id,
       line.gift_of,
       coalesce(returned.units, 0)::BIGINT AS returned,
       canceled.order_id IS NOT NULL AS is_canceled,
       each.position
  FROM each
  LEFT JOIN returned ON returned.order_id = each.order_id AND returned.line_id = each.line.line_id
  LEFT JOIN orders_order_canceled AS canceled ON canceled.order_id = each.order_id

-- carts --
-- One row a cart: when it was opened, what was put into it and taken out, and the order it became, if any.
SELECT opened.cart_id,
       opened.valid_at AS opened_at,
       opened.currency,
       opened.market,
       opened.customer_id,
       coalesce(added.items, 0) AS items_added,
       coalesce(removed.items, 0) AS items_removed,
       added.first_at AS first_item_at,
       checked_out.valid_at AS checked_out_at,
       checked_out.order_id,
       opened.position
  FROM cart_cart_opened AS opened
  LEFT JOIN (SELECT cart_id, count(*) AS items, min(valid_at) AS first_at FROM cart_item_added GROUP BY cart_id) AS added
         ON added.cart_id = opened.cart_id
  LEFT JOIN (SELECT cart_id, count(*) AS items FROM cart_item_removed GROUP BY cart_id) AS removed
         ON removed.cart_id = opened.cart_id
  LEFT JOIN cart_cart_checked_out AS checked_out ON checked_out.cart_id = opened.cart_id

-- funnel --
-- One row a day (UTC) on which anything happened: visits that began, carts opened that day and how many of those
-- got an item and were checked out, whenever; orders placed that day, and how many of those were confirmed.
WITH visits AS (
    SELECT valid_at::DATE AS day, count(*) AS visits FROM visits_product_viewed WHERE number = 1 GROUP BY day
), of_carts AS (
    SELECT opened_at::DATE AS day,
           count(*) AS carts,
           count(*) FILTER (items_added > 0) AS carts_with_items,
           count(*) FILTER (order_id IS NOT NULL) AS carts_checked_out
      FROM carts GROUP BY day
), of_orders AS (
    SELECT placed_at::DATE AS day, count(*) AS orders, count(*) FILTER (confirmed_at IS NOT NULL) AS orders_confirmed
      FROM orders GROUP BY day
)
SELECT day,
       coalesce(visits, 0) AS visits,
       coalesce(carts, 0) AS carts,
       coalesce(carts_with_items, 0) AS carts_with_items,
       coalesce(carts_checked_out, 0) AS carts_checked_out,
       coalesce(orders, 0) AS orders,
       coalesce(orders_confirmed, 0) AS orders_confirmed
  FROM visits FULL JOIN of_carts USING (day) FULL JOIN of_orders USING (day)
 ORDER BY day

-- cohorts --
-- Customers by the month of their first order (cohort), and how many of them ordered so many months later.
-- size: customers of the cohort; net in minor units. Orders without a customer, and canceled ones, are in none.
WITH by_month AS (
    SELECT customer_id, currency, date_trunc('month', placed_at)::DATE AS month, count(*) AS orders, sum(net) AS net
      FROM orders WHERE customer_id IS NOT NULL AND status <> 'canceled' GROUP BY ALL
), since AS (
    SELECT *, min(month) OVER (PARTITION BY customer_id) AS cohort FROM by_month
), sizes AS (
    SELECT cohort, count(DISTINCT customer_id) AS size FROM since GROUP BY cohort
)
SELECT cohort,
       size,
       date_diff('month', cohort, month) AS months_later,
       count(DISTINCT customer_id) AS customers,
       sum(orders)::BIGINT AS orders,
       currency,
       sum(net)::BIGINT AS net
  FROM since JOIN sizes USING (cohort)
 GROUP BY cohort, size, months_later, currency
 ORDER BY cohort, months_later, currency

-- stock_movements --
-- One row a movement of stock, by position. on_hand: by how much it changed what lies there; reserved: what is set aside.
SELECT position, valid_at, sku, location, 'received' AS kind, quantity AS on_hand, 0::BIGINT AS reserved,
       NULL::VARCHAR AS order_id, reason
  FROM inventory_stock_received
UNION ALL SELECT position, valid_at, sku, location, 'adjusted', delta, 0, NULL, reason FROM inventory_stock_adjusted
UNION ALL SELECT position, valid_at, sku, location, 'reserved', 0, quantity, order_id, NULL FROM inventory_stock_reserved
UNION ALL SELECT position, valid_at, sku, location, 'released', 0, -quantity, order_id, cause
            FROM inventory_reservation_released
UNION ALL SELECT position, valid_at, sku, location, 'dispatched', -quantity, -from_reservation, order_id, NULL
            FROM inventory_stock_dispatched
UNION ALL SELECT position, valid_at, sku, location, 'restocked', quantity, 0, order_id, NULL FROM inventory_stock_restocked

-- customer_value --
-- One row a customer and currency, best first. Amounts in minor units; canceled orders count in none of them.
SELECT customer_id,
       currency,
       min(placed_at) AS first_order_at,
       max(placed_at) AS last_order_at,
       count(*) AS orders,
       sum(units)::BIGINT AS units,
       sum(total)::BIGINT AS total,
       sum(refunded)::BIGINT AS refunded,
       sum(net)::BIGINT AS net
  FROM orders
 WHERE customer_id IS NOT NULL AND status <> 'canceled'
 GROUP BY customer_id, currency
 ORDER BY net DESC, customer_id, currency
