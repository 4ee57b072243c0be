"""A retirement that takes longer than the heartbeat timeout: the scheduler is silent meanwhile, and lives."""

from story import done, eventually, gateway, say, status

g = gateway()
cluster = g.new_cluster()
cluster.scale(2)
client = cluster.get_client()
client.wait_for_workers(2, timeout=100)


def slow_down(dask_scheduler):
    import asyncio

    retire = dask_scheduler.retire_workers

    async def slowly(*args, **kwargs):
        await asyncio.sleep(12)
        return await retire(*args, **kwargs)

    dask_scheduler.retire_workers = slowly


client.run_on_scheduler(slow_down)
cluster.scale(1)
eventually("one retired", lambda: len(client.scheduler_info()["workers"]) == 1)
assert status(g, cluster.name) == "RUNNING"
assert client.submit(lambda: 6 * 7).result(timeout=100) == 42
say("lives")
client.close()
cluster.shutdown()
done()
