-- Somebody in the cell who hears everything and has no key sends noise, altered copies, replays and forged STKMs to the group,
-- with the PF's own address, and RTP to the PF's media ports. Nobody plays any of it, nobody misses a packet, and the PF
-- says in its log what it drops. A rekey in the middle of it reaches everybody.                       POC-1, POC-15, POC-16
--
-- log: packet_refused .*127\.0\.0\.9.*no peer of this session

scenario "An attacker in the cell"

channel("dispatch")
local alice, bob, carol = client("alice"), client("bob"), client("carol", { keeps_keys = true })
local old = client("old", { multicast = false })

for _, radio in ipairs { alice, bob, carol, old } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed"), old:is("in")), 20000, "three keyed, the old one in")
wait(5000) -- sessions that a bad network confirms late

alice:talk { ms = 4000 }
for i = 1, 50 do
    attacker:strike("dispatch")
    wait(100)
    if i == 20 then
        cf:expel(carol)
    end
end
expect.by_multicast(bob)
expect.gap(bob)
expect.played(bob, { min = 200, max = 200 })
expect.played(old, { min = 200, max = 200 })
expect.exposure(carol, { max_ms = 200 })
expect.played_after_switch(carol, 0)
expect.rekeys("dispatch", 1)
