BEGIN TRANSACTION;
CREATE TABLE calls (
    key TEXT PRIMARY KEY,
    request TEXT NOT NULL,  -- JSON: what was asked under the key
    answer TEXT NOT NULL    -- JSON: kind and facts
) STRICT;
INSERT INTO "calls" VALUES('checkout-00000000000000000000617574686f72697a6564/1','["authorize", "pm_card_visa", 3350, "GBP", "00000000000000000000617574686f72697a6564"]','["Authorized", {"reference": "ch_sandbox_14348ddccf9d68da6c6d6abd"}]');
INSERT INTO "calls" VALUES('checkout-0000000000000000000000706172742073656e74/1','["authorize", "pm_card_visa", 3350, "GBP", "0000000000000000000000706172742073656e74"]','["Authorized", {"reference": "ch_sandbox_b697384775ba62615ea08ce4"}]');
INSERT INTO "calls" VALUES('checkout-0000000000000000000000706172742073656e74/2','["capture", "ch_sandbox_b697384775ba62615ea08ce4", 3350, "GBP"]','["Captured", {}]');
INSERT INTO "calls" VALUES('checkout-0000000000726566756e64656420756e73656e74/1','["authorize", "pm_card_visa", 3350, "GBP", "0000000000726566756e64656420756e73656e74"]','["Authorized", {"reference": "ch_sandbox_9447e6ecabb7e8dc1e56477c"}]');
INSERT INTO "calls" VALUES('checkout-0000000000726566756e64656420756e73656e74/2','["capture", "ch_sandbox_9447e6ecabb7e8dc1e56477c", 3350, "GBP"]','["Captured", {}]');
INSERT INTO "calls" VALUES('checkout-0000000000726566756e64656420756e73656e74/3','["refund", "ch_sandbox_9447e6ecabb7e8dc1e56477c", 3350, "GBP"]','["Refunded", {}]');
INSERT INTO "calls" VALUES('checkout-000000726566756e646564206f6e652073656e74/1','["authorize", "pm_card_visa", 3350, "GBP", "000000726566756e646564206f6e652073656e74"]','["Authorized", {"reference": "ch_sandbox_fecdaa702496e5bbc4fd2ca6"}]');
INSERT INTO "calls" VALUES('checkout-000000726566756e646564206f6e652073656e74/2','["capture", "ch_sandbox_fecdaa702496e5bbc4fd2ca6", 3350, "GBP"]','["Captured", {}]');
INSERT INTO "calls" VALUES('checkout-000000726566756e646564206f6e652073656e74/3','["refund", "ch_sandbox_fecdaa702496e5bbc4fd2ca6", 3350, "GBP"]','["Refunded", {}]');
INSERT INTO "calls" VALUES('checkout-000000000000726566756e64656420756e697473/1','["authorize", "pm_card_visa", 3350, "GBP", "000000000000726566756e64656420756e697473"]','["Authorized", {"reference": "ch_sandbox_cd7660454648686328df7d54"}]');
INSERT INTO "calls" VALUES('checkout-000000000000726566756e64656420756e697473/2','["capture", "ch_sandbox_cd7660454648686328df7d54", 3350, "GBP"]','["Captured", {}]');
INSERT INTO "calls" VALUES('checkout-000000000000726566756e64656420756e697473/3','["refund", "ch_sandbox_cd7660454648686328df7d54", 900, "GBP"]','["Refunded", {}]');
INSERT INTO "calls" VALUES('checkout-0000000000726566756e64656420616d6f756e74/1','["authorize", "pm_card_visa", 3350, "GBP", "0000000000726566756e64656420616d6f756e74"]','["Authorized", {"reference": "ch_sandbox_4a1785ffc4a552d702d97f6b"}]');
INSERT INTO "calls" VALUES('checkout-0000000000726566756e64656420616d6f756e74/2','["capture", "ch_sandbox_4a1785ffc4a552d702d97f6b", 3350, "GBP"]','["Captured", {}]');
INSERT INTO "calls" VALUES('checkout-0000000000726566756e64656420616d6f756e74/3','["refund", "ch_sandbox_4a1785ffc4a552d702d97f6b", 100, "GBP"]','["Refunded", {}]');
INSERT INTO "calls" VALUES('checkout-00000000000000000000000072657475726e6564/1','["authorize", "pm_card_visa", 3350, "GBP", "00000000000000000000000072657475726e6564"]','["Authorized", {"reference": "ch_sandbox_b109b542f48d43e4732886a8"}]');
INSERT INTO "calls" VALUES('checkout-00000000000000000000000072657475726e6564/2','["capture", "ch_sandbox_b109b542f48d43e4732886a8", 3350, "GBP"]','["Captured", {}]');
INSERT INTO "calls" VALUES('checkout-00000000000000000000000072657475726e6564/3','["refund", "ch_sandbox_b109b542f48d43e4732886a8", 900, "GBP"]','["Refunded", {}]');
INSERT INTO "calls" VALUES('checkout-00000000000000000000000063616e63656c6564/1','["authorize", "pm_card_visa", 3350, "GBP", "00000000000000000000000063616e63656c6564"]','["Authorized", {"reference": "ch_sandbox_923290db3939589ad0ed80da"}]');
INSERT INTO "calls" VALUES('checkout-00000000000000000000000063616e63656c6564/2','["void", "ch_sandbox_923290db3939589ad0ed80da"]','["Voided", {}]');
INSERT INTO "calls" VALUES('checkout-0000000000000000000000006465636c696e6564/1','["authorize", "pm_card_chargeDeclined", 3350, "GBP", "0000000000000000000000006465636c696e6564"]','["Declined", {"code": "card_declined"}]');
INSERT INTO "calls" VALUES('checkout-000000000000000063617074757265206c6f7374/1','["authorize", "pm_card_visa", 3350, "GBP", "000000000000000063617074757265206c6f7374"]','["Authorized", {"reference": "ch_sandbox_62e5c9b3c2a70be10766e6e0"}]');
INSERT INTO "calls" VALUES('checkout-000000000000000000726566756e64206c6f7374/1','["authorize", "pm_card_visa", 3350, "GBP", "000000000000000000726566756e64206c6f7374"]','["Authorized", {"reference": "ch_sandbox_3dd2bd64ece7264bc4bc1939"}]');
INSERT INTO "calls" VALUES('checkout-000000000000000000726566756e64206c6f7374/2','["capture", "ch_sandbox_3dd2bd64ece7264bc4bc1939", 3350, "GBP"]','["Captured", {}]');
INSERT INTO "calls" VALUES('checkout-0000000000000000000000766f6964206c6f7374/1','["authorize", "pm_card_visa", 3350, "GBP", "0000000000000000000000766f6964206c6f7374"]','["Authorized", {"reference": "ch_sandbox_cecad18fcd69a94c80d22274"}]');
INSERT INTO "calls" VALUES('checkout-000000000000617574686f72697a6520646f6e65/1','["authorize", "pm_card_visa", 3350, "GBP", "000000000000617574686f72697a6520646f6e65"]','["Authorized", {"reference": "ch_sandbox_6a1be56c84ec84c9de53e005"}]');
INSERT INTO "calls" VALUES('checkout-00000000000000006361707475726520646f6e65/1','["authorize", "pm_card_visa", 3350, "GBP", "00000000000000006361707475726520646f6e65"]','["Authorized", {"reference": "ch_sandbox_ed3b4898b2ad9f7edc8872fe"}]');
INSERT INTO "calls" VALUES('checkout-00000000000000006361707475726520646f6e65/2','["capture", "ch_sandbox_ed3b4898b2ad9f7edc8872fe", 3350, "GBP"]','["Captured", {}]');
INSERT INTO "calls" VALUES('checkout-000000000000000000726566756e6420646f6e65/1','["authorize", "pm_card_visa", 3350, "GBP", "000000000000000000726566756e6420646f6e65"]','["Authorized", {"reference": "ch_sandbox_8c51dbacd4f694879b818011"}]');
INSERT INTO "calls" VALUES('checkout-000000000000000000726566756e6420646f6e65/2','["capture", "ch_sandbox_8c51dbacd4f694879b818011", 3350, "GBP"]','["Captured", {}]');
INSERT INTO "calls" VALUES('checkout-000000000000000000726566756e6420646f6e65/3','["refund", "ch_sandbox_8c51dbacd4f694879b818011", 900, "GBP"]','["Refunded", {}]');
INSERT INTO "calls" VALUES('checkout-0000000000000000000000766f696420646f6e65/1','["authorize", "pm_card_visa", 3350, "GBP", "0000000000000000000000766f696420646f6e65"]','["Authorized", {"reference": "ch_sandbox_48d1747e6893459f376a0814"}]');
INSERT INTO "calls" VALUES('checkout-0000000000000000000000766f696420646f6e65/2','["void", "ch_sandbox_48d1747e6893459f376a0814"]','["Voided", {}]');
INSERT INTO "calls" VALUES('checkout-0000000000000000000000000077616974696e67/1','["authorize", "pm_card_authenticationRequired", 3425, "GBP", "0000000000000000000000000077616974696e67"]','["ActionNeeded", {"reference": "ch_sandbox_6486b49ff224292ea15e9c01"}]');
CREATE TABLE charges (
    reference TEXT PRIMARY KEY,
    order_id TEXT NOT NULL,
    method TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL,
    status TEXT NOT NULL,   -- authorized, action_required, declined, captured, voided
    captured INTEGER NOT NULL DEFAULT 0,
    refunded INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO "charges" VALUES('ch_sandbox_14348ddccf9d68da6c6d6abd','00000000000000000000617574686f72697a6564','pm_card_visa','GBP',3350,'authorized',0,0);
INSERT INTO "charges" VALUES('ch_sandbox_b697384775ba62615ea08ce4','0000000000000000000000706172742073656e74','pm_card_visa','GBP',3350,'captured',3350,0);
INSERT INTO "charges" VALUES('ch_sandbox_9447e6ecabb7e8dc1e56477c','0000000000726566756e64656420756e73656e74','pm_card_visa','GBP',3350,'captured',3350,3350);
INSERT INTO "charges" VALUES('ch_sandbox_fecdaa702496e5bbc4fd2ca6','000000726566756e646564206f6e652073656e74','pm_card_visa','GBP',3350,'captured',3350,3350);
INSERT INTO "charges" VALUES('ch_sandbox_cd7660454648686328df7d54','000000000000726566756e64656420756e697473','pm_card_visa','GBP',3350,'captured',3350,900);
INSERT INTO "charges" VALUES('ch_sandbox_4a1785ffc4a552d702d97f6b','0000000000726566756e64656420616d6f756e74','pm_card_visa','GBP',3350,'captured',3350,100);
INSERT INTO "charges" VALUES('ch_sandbox_b109b542f48d43e4732886a8','00000000000000000000000072657475726e6564','pm_card_visa','GBP',3350,'captured',3350,900);
INSERT INTO "charges" VALUES('ch_sandbox_923290db3939589ad0ed80da','00000000000000000000000063616e63656c6564','pm_card_visa','GBP',3350,'voided',0,0);
INSERT INTO "charges" VALUES('ch_sandbox_38e3c8d765a38651316e322b','0000000000000000000000006465636c696e6564','pm_card_chargeDeclined','GBP',3350,'declined',0,0);
INSERT INTO "charges" VALUES('ch_sandbox_62e5c9b3c2a70be10766e6e0','000000000000000063617074757265206c6f7374','pm_card_visa','GBP',3350,'authorized',0,0);
INSERT INTO "charges" VALUES('ch_sandbox_3dd2bd64ece7264bc4bc1939','000000000000000000726566756e64206c6f7374','pm_card_visa','GBP',3350,'captured',3350,0);
INSERT INTO "charges" VALUES('ch_sandbox_cecad18fcd69a94c80d22274','0000000000000000000000766f6964206c6f7374','pm_card_visa','GBP',3350,'authorized',0,0);
INSERT INTO "charges" VALUES('ch_sandbox_6a1be56c84ec84c9de53e005','000000000000617574686f72697a6520646f6e65','pm_card_visa','GBP',3350,'authorized',0,0);
INSERT INTO "charges" VALUES('ch_sandbox_ed3b4898b2ad9f7edc8872fe','00000000000000006361707475726520646f6e65','pm_card_visa','GBP',3350,'captured',3350,0);
INSERT INTO "charges" VALUES('ch_sandbox_8c51dbacd4f694879b818011','000000000000000000726566756e6420646f6e65','pm_card_visa','GBP',3350,'captured',3350,900);
INSERT INTO "charges" VALUES('ch_sandbox_48d1747e6893459f376a0814','0000000000000000000000766f696420646f6e65','pm_card_visa','GBP',3350,'voided',0,0);
INSERT INTO "charges" VALUES('ch_sandbox_6486b49ff224292ea15e9c01','0000000000000000000000000077616974696e67','pm_card_authenticationRequired','GBP',3425,'action_required',0,0);
CREATE INDEX charges_of_order ON charges (order_id);
COMMIT;
