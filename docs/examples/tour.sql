-- revenue --
SELECT date_trunc('month', placed_at)::DATE AS month, count(*) AS orders, sum(total) / 100 AS total,
       sum(refunded) / 100 AS refunded, sum(net) / 100 AS net
  FROM orders GROUP BY month ORDER BY month

-- retention --
SELECT cohort, size, months_later, customers, customers / size AS share
  FROM cohorts WHERE currency = 'GBP' ORDER BY cohort, months_later

-- baskets --
SELECT least(lines, 60) AS lines, count(*) AS orders, sum(net) / 100 AS net
  FROM orders GROUP BY 1 ORDER BY 1

-- returns --
SELECT sku, any_value(title) AS title, sum(quantity) AS sold, sum(returned) AS returned, sum(returned) / sum(quantity) AS share
  FROM lines GROUP BY sku HAVING sum(quantity) >= 500 ORDER BY share DESC, sku LIMIT 15

-- also_bought --
WITH favorites AS (
    SELECT sku, any_value(title) AS title, count(DISTINCT order_id) AS orders FROM lines GROUP BY sku ORDER BY orders DESC LIMIT 300
), bought AS (
    SELECT DISTINCT order_id, sku FROM lines WHERE sku IN (SELECT sku FROM favorites)
)
SELECT a.title AS one, b.title AS other, count(*) AS together, count(*) / least(a.orders, b.orders) AS share
  FROM bought AS x JOIN bought AS y ON x.order_id = y.order_id AND x.sku < y.sku
  JOIN favorites AS a ON a.sku = x.sku JOIN favorites AS b ON b.sku = y.sku
 GROUP BY a.title, b.title, a.orders, b.orders HAVING count(*) >= 200 ORDER BY share DESC, one, other LIMIT 15

-- prices --
WITH favorites AS (
    SELECT sku FROM lines GROUP BY sku ORDER BY sum(line_total * (quantity - returned) / quantity) DESC, sku LIMIT 6
)
SELECT sku, arg_max(title, quantity) AS title, date_trunc('month', placed_at)::DATE AS month,
       quantile_disc(unit_price, 0.1)::DOUBLE AS low, quantile_disc(unit_price, 0.5)::DOUBLE AS middle,
       quantile_disc(unit_price, 0.9)::DOUBLE AS high
  FROM lines WHERE sku IN (FROM favorites) AND unit_price > 0 GROUP BY sku, month ORDER BY sku, month
