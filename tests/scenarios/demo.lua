-- The newcomer's story. Four radios on one multicast channel; one of them is thrown out in mid-sentence and keeps
-- listening with every key it ever had.
--
--   alice, bob, carol   join "dispatch", are keyed, hear by multicast        POC-4, POC-7, POC-13, POC-15
--   alice               talks on until the end
--   carol               hangs up: policy "never", nobody is bothered          POC-8
--   dave                joins late, gets the current MSK, hears the rest
--   CF -> bob           expelled: a new MSK to alice and dave, a new MTK,     POC-10, POC-11, POC-16, POC-18, POC-19
--                       and silence for bob                                   POC-17

scenario "Four radios, one of them expelled in mid-sentence"

channel("dispatch", { on_leave = "never", gate = "hold", deadline_ms = 2000 })

local alice = client("alice")
local bob = client("bob", { keeps_keys = true })
local carol = client("carol")
local dave = client("dave")

for _, radio in ipairs { alice, bob, carol, dave } do
    radio:bootstrap()
end
for _, radio in ipairs { alice, bob, carol } do
    radio:join("dispatch")
    wait_for(radio:is("in"), 5000, radio:name() .. " in the session")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 5000, "three radios keyed")

alice:floor_request()
alice:talk { ms = 14000 }
wait(2500)
expect.by_multicast(bob)
expect.by_multicast(carol)

carol:leave()
wait_for(carol:is("out"), 3000, "carol out")
wait(1500)
expect.no_rekey("dispatch")

dave:join("dispatch")
wait_for(dave:is("by multicast"), 3000, "dave hearing by multicast")
wait(2000)

cf:expel(bob)
wait_for(bob:is("out"), 3000, "bob out")
wait(4000)
alice:talk_stop()
alice:floor_release()
wait(500)

expect.exposure(bob, { max_ms = 200 })
expect.played_after_switch(bob, 0)
expect.gap(alice, { max = 0 })
expect.gap(dave, { max = 0 })
expect.first_audio(dave, { max_ms = 1500 })
expect.rekeys("dispatch", 1)
