-- What alice bootstrapped is about to expire. The PF has her make contact before that, refuses the old B-TID, and she runs
-- GBA again; the next MSK comes to her under the new MUK.                                   MBMS-10, MBMS-11, MBMS-12
--
--   PF -> alice    MIKEY, key number 0                                                                          MBMS-10
--   alice -> PF    POST msk-request; 401 without a word on her digest: bootstrap again                          MBMS-11
--   alice -> BSF   a new run: another B-TID, another MUK
--   alice -> PF    POST msk-request under the new B-TID; 200 OK                                                 MBMS-12

scenario "A client is made to bootstrap before its key expires"

pf:configure { muk_lifetime_s = 60, muk_renew_s = 54 }
channel("fire", { group = false })
local alice, bob = client("alice"), client("bob")

for _, radio in ipairs { alice, bob } do
    radio:bootstrap()
    radio:register("fire")
end
wait_for(all(alice:is("registered"), bob:is("registered")), 20000, "both registered")
wait_for(all(alice:is("keyed"), bob:is("keyed")), 20000, "both keyed")
source:play("fire")
wait_for(function() return alice:count("bootstrappings") == 2 and bob:count("bootstrappings") == 2 end, 30000,
    "both having bootstrapped again")
wait_for(function() return alice:count("grants") > 0 and bob:count("grants") > 0 end, 30000, "both having pulled")
wait(500)
pf:rekey("fire")
wait(4000)
expect.holders("fire", alice, bob)
expect.gap(alice)
expect.gap(bob)
