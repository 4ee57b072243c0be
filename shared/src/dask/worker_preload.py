async def dask_setup(worker):
    # a preload on the command line, as this one, keeps dask from those that its configuration names
    import dask
    from distributed.preloading import process_preloads

    if len(worker.preloads) == 1:
        names, argv = [dask.config.get("distributed.worker." + key) for key in ("preload", "preload-argv")]
        worker.configured_preloads = process_preloads(worker, names, argv, file_dir=worker.local_directory)
        for preload in worker.configured_preloads:
            await preload.start()

async def dask_teardown(worker):
    for preload in getattr(worker, "configured_preloads", []):
        await preload.teardown()
