"""A worker that ends before it connects, as it lacks a module: the scheduler is asked whether it has ever seen it."""

from story import done, gateway, say, wait_for_go

g = gateway()
cluster = g.new_cluster(environment={"DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": '["no_such_module"]'})
cluster.scale(1)
say("cluster", cluster.name)
wait_for_go()
cluster.shutdown()
done()
