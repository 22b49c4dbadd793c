// The worker's side. Import maps do not reach into workers, so the path is spelled out here; a bundler
// would resolve 'ringtap/engine/worker'.
import { serveEngine, webEnd } from '../../build/asm/host/worker.js';

serveEngine(webEnd(self));
