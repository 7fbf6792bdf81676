import { describeTorchUpdates } from "../../support/torch-evcf.js";

describeTorchUpdates("h-vamp");
