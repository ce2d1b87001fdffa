-- Dave joins in the middle of a long burst. He gets the current MSK; nobody else is contacted; the next STKM gives him the
-- MTK, and the roll-over counter of each talker is in it.                                             POC-7, POC-8, POC-15
--
--   dave -> PF   INVITE ... 200, unicast at once
--   PF -> dave   UPDATE: current MSK
--   air          STKM repetition: MTK, media

scenario "A late joiner hears the rest of the sentence"

channel("dispatch")
local alice, bob, dave = client("alice"), client("bob"), client("dave")

for _, radio in ipairs { alice, bob } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed")), 20000, "alice and bob keyed")
alice:talk()
wait(chance(3000, 4000))

local before = now()
dave:bootstrap()
dave:join("dispatch")
wait_for(dave:is("by multicast"), 30000, "dave hearing by multicast")
wait(2000)

expect.first_audio(dave, { max_ms = 1500 })
expect.no_rekey("dispatch", before)
expect.gap(bob)
